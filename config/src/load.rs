//! The ways to come by a province: its file, a text, what it was once read from, the one of the
//! program, a fleet.

use std::path::Path;

use crate::built_in::{PROVINCE, PROVINCE_FILE};
use crate::fleet::fleet;
use crate::parse::{Templates, parse, read_text};
use crate::problem::Problems;
use crate::province::{Origin, Province};

impl Province {
    /// Reads a province from its file, and the templates it names.
    ///
    /// # Errors
    /// Everything that is wrong with the files, at once.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|error| Problems::of_file(&file, error.to_string()))?;
        parse(&file, &text, Templates::BuiltInAndOwn(path.parent()))
    }

    /// Reads a province from a text; `file` is what problems call it. Templates are the built-in
    /// ones.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        parse(file, text, Templates::BuiltInAndOwn(None))
    }

    /// Reads a province again from what one was once read from. Files are not looked at.
    ///
    /// # Errors
    /// Everything that this program finds wrong with it: another one may have allowed it.
    pub fn from_origin(origin: &Origin) -> Result<Self, Problems> {
        match origin {
            Origin::Texts { file, text, templates } => {
                parse(file, text, Templates::These(templates))
            }
            Origin::Fleet(stations) => fleet(*stations),
        }
    }

    /// The reference province, Hòa Bình around 2022, which is part of the program.
    ///
    /// # Panics
    /// Never: a test reads the same text.
    pub fn built_in() -> Self {
        Self::parse(PROVINCE_FILE, PROVINCE).expect("the built-in province is tested")
    }

    /// A fleet of `stations` alike stations of some 800 points each, every point read once a second
    /// by one centre: a burden to measure with.
    ///
    /// # Errors
    /// When there are none, or more than 10 000.
    pub fn fleet(stations: usize) -> Result<Self, Problems> {
        fleet(stations)
    }
}
