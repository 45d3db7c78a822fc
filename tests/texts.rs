//! Any text as the file of a province, or as a scenario: what is accepted can be simulated, what is refused is told why.
//! The fuzz target `fuzz/fuzz_targets/texts.rs` runs the same body.

use std::sync::{Arc, LazyLock};

use config::Province;
use sim::{Field, Scenario};

static PROVINCE: LazyLock<Province> = LazyLock::new(Province::built_in);

/// A field of more stations than these is right, and takes its time.
const STATIONS_MAX: usize = 12;
/// 07:00 on a day in November 2022, UTC.
const AT_MS: i64 = 1_669_186_800_000;

/// The first byte says which of the two it is.
pub(crate) fn trial(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if which % 2 == 1 {
        match Scenario::parse(&PROVINCE, "scenario.toml", text) {
            Ok(scenario) => drop(scenario),
            Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
        }
        return;
    }
    match Province::parse("province.toml", text) {
        Ok(province) if province.stations.len() <= STATIONS_MAX => {
            let mut field = Field::new(Arc::new(province));
            for second in 0..3 {
                field.step(AT_MS + second * 1_000);
            }
        }
        Ok(_) => {}
        Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
    }
}
