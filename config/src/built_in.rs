//! The reference province and the datalists, built into the program so that it runs anywhere.

/// What problems call the built-in province.
pub(crate) const PROVINCE_FILE: &str = "config/hoa-binh.toml";

/// The reference province.
pub(crate) const PROVINCE: &str = include_str!("../hoa-binh.toml");

macro_rules! bays {
    ($($file:literal),* $(,)?) => {
        &[$((concat!("config/bays/", $file), include_str!(concat!("../bays/", $file)))),*]
    };
}

/// File name and text of every datalist.
pub(crate) const BAYS: &[(&str, &str)] = bays![
    "CB110.toml",
    "L110.toml",
    "T110.toml",
    "BC110.toml",
    "BB110.toml",
    "CBMV.toml",
    "TMV.toml",
    "BCMV.toml",
    "BBMV.toml",
    "FMV.toml",
    "CAP.toml",
    "AUX.toml",
    "STN.toml",
    "PM.toml",
];
