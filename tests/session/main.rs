//! Sessions as both sides meet them: the story, hostile input, and challenges parked elsewhere.

mod hostile;
mod parked;
mod refused;
mod story;
mod world;
