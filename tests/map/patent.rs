//! PATENT.md has a row for every step and every claim, and what its rows name exists.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of all rows of the section with this heading.
fn rows(chart: &str, heading: &str) -> Vec<Vec<String>> {
    let section = chart.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    rows.skip(2).map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// All of a suite's sources, whether it is one file or a directory.
fn suite(name: &str) -> String {
    let mut code = String::new();
    let mut open = vec![root().join("tests").join(name), root().join("tests").join(format!("{name}.rs"))];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            writeln!(code, "{text}").unwrap();
        }
    }
    code
}

#[test]
fn the_patents_chart_is_whole_and_names_what_there_is() {
    let chart = fs::read_to_string(root().join("PATENT.md")).unwrap();
    let (steps, claims, deviations) =
        (rows(&chart, "Steps"), rows(&chart, "Claims"), rows(&chart, "Deviations"));
    let first =
        |rows: &[Vec<String>]| -> BTreeSet<String> { rows.iter().map(|row| row[0].clone()).collect() };
    let numbers = (60..=200).step_by(10).chain((300..=390).step_by(10));
    assert_eq!(first(&steps), numbers.map(|step| step.to_string()).collect());
    assert_eq!(first(&claims), (1..=26).map(|claim| claim.to_string()).collect());

    let names = |cell: &str| -> Vec<String> {
        cell.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let mut used = BTreeSet::new();
    for row in &steps {
        used.extend(names(&row[3]));
        let tests: Vec<_> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "step {} is shown by nothing", row[0]);
        for test in tests {
            let (of, name) = test.split_once("::").unwrap();
            assert!(suite(of).contains(&format!("#[test]\nfn {name}()")), "no test {test}");
        }
    }
    for row in &claims {
        let steps_named = names(&row[2]);
        assert!(
            !steps_named.is_empty() && steps_named.iter().all(|step| first(&steps).contains(step)),
            "{row:?}"
        );
        // The deviations of a claim are those of its steps.
        let of_steps: BTreeSet<_> = steps
            .iter()
            .filter(|step| steps_named.contains(&step[0]))
            .flat_map(|step| names(&step[3]))
            .collect();
        assert!(names(&row[3]).iter().all(|deviation| of_steps.contains(deviation)), "{row:?}");
    }
    assert_eq!(used, first(&deviations));
}
