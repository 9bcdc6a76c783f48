//! What happens when something goes wrong.
use super::cast::{Keys, Result};
use super::narrator::Narrator;
pub struct Break {
    pub name: &'static str,
}
impl Break {
    pub fn run(&self, _: &Narrator, _: &Keys, _: Option<usize>) -> Result<()> {
        Ok(())
    }
}
pub const ALL: &[Break] = &[];
