//! The IEEE cases against the solutions of pandapower.

#[path = "cases/reader.rs"]
mod reader;

use grid::{PowerFlow, SolverSettings};

const CASES: [(&str, &str); 5] = [
    ("ieee14", include_str!("cases/ieee14.txt")),
    ("ieee30", include_str!("cases/ieee30.txt")),
    ("ieee57", include_str!("cases/ieee57.txt")),
    ("ieee118", include_str!("cases/ieee118.txt")),
    ("ieee300", include_str!("cases/ieee300.txt")),
];

#[test]
fn ieee_cases_agree_with_pandapower() {
    for (name, text) in CASES {
        let case = reader::read(text);
        let mut flow = PowerFlow::new(&case.network).unwrap();
        for hold in [false, true] {
            let settings = SolverSettings { tolerance: 1e-10, hold, ..SolverSettings::default() };
            let solution = flow.solve_from_flat(&case.state, &settings).unwrap();
            assert_eq!(case.expected.len(), solution.v.len(), "{name}");
            for (bus, (v, degrees)) in case.expected.iter().enumerate() {
                assert!((solution.v[bus] - v).abs() < 1e-8, "{name} bus {bus}");
                let off = solution.angle[bus].to_degrees() - degrees;
                assert!(off.abs() < 1e-6, "{name} bus {bus}: {off}°");
            }
            println!("{name} {hold} {} {}", solution.iterations, solution.refactorisations);
            assert!(solution.iterations <= if hold { 12 } else { 6 }, "{name}");
        }
    }
}

#[test]
fn a_solved_case_is_solved_again_without_a_step() {
    let case = reader::read(CASES[3].1);
    let mut flow = PowerFlow::new(&case.network).unwrap();
    flow.solve(&case.state, &SolverSettings::default()).unwrap();
    let again = flow.solve(&case.state, &SolverSettings::default()).unwrap();
    assert_eq!((again.iterations, again.refactorisations), (0, 0));
}
