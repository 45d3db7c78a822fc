//! A province as its file has it: shapes and single values, names not yet looked up.

use crate::civil::Zone;
use crate::codec::{Encoding, WordOrder};
use crate::document::{Place, Placed};
use crate::names::{Date, Name};
use crate::province::{
    Centre, DeviceLimits, District, FormSettings, HistorySettings, Identity, Infeed, LinkSettings,
    MeterClass, ReportedYear, ScanPeriods, Targets, Whole,
};
use crate::registers::RegisterTable;
use crate::template::LoadClass;

/// A province as its file has it.
pub(crate) struct Draft {
    pub(crate) name: Name,
    pub(crate) zone: Zone,
    pub(crate) seed: u64,
    pub(crate) sold_gwh_per_year: f64,
    pub(crate) reported_years: Vec<Placed<ReportedYear>>,
    pub(crate) targets: Targets,
    pub(crate) scan: ScanPeriods,
    pub(crate) link: LinkSettings,
    pub(crate) history: HistorySettings,
    pub(crate) form: FormSettings,
    pub(crate) unmanned: UnmannedDraft,
    pub(crate) link_place: Place,
    /// What each centre shows on secured connections.
    pub(crate) identities: Identities,
    pub(crate) centres: Vec<Placed<Centre>>,
    pub(crate) sources: Vec<Placed<Infeed>>,
    pub(crate) lines: Vec<LineDraft>,
    pub(crate) meter_classes: Vec<Placed<MeterClass>>,
    pub(crate) districts: Vec<Placed<District>>,
    pub(crate) stations: Vec<StationDraft>,
}

/// When a station counts as operated without staff.
pub(crate) struct UnmannedDraft {
    /// The centre in charge of stations that name none.
    pub(crate) in_charge: Option<Placed<String>>,
    /// Per cent of the watched time.
    pub(crate) seen: f64,
}

/// A line, its ends by their names.
pub(crate) struct LineDraft {
    pub(crate) place: Place,
    pub(crate) from: Option<Placed<String>>,
    pub(crate) to: Option<Placed<String>>,
    pub(crate) km: f64,
    pub(crate) conductor: String,
    pub(crate) open_at: Option<Placed<String>>,
}

/// A station, or a plant, what it names not yet looked up.
pub(crate) struct StationDraft {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) name: Name,
    pub(crate) unmanned: bool,
    pub(crate) in_charge: Option<Placed<String>>,
    pub(crate) quality: bool,
    pub(crate) e2e: Vec<(Placed<String>, Option<Date>)>,
    pub(crate) address: Vec<(Placed<String>, Option<Address>)>,
    pub(crate) peak_mw: f64,
    pub(crate) load: Vec<(LoadClass, f64)>,
    pub(crate) transformers: Vec<(Placed<String>, f64)>,
    pub(crate) bays: Vec<(Placed<String>, Vec<Placed<String>>)>,
    pub(crate) positions: Vec<(Placed<String>, u8)>,
    pub(crate) absent: Vec<Remark>,
    pub(crate) untested: Vec<Remark>,
    pub(crate) excluded: Vec<Remark>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) device: DeviceDraft,
    /// Whether its connections are secured, where that is said.
    pub(crate) tls: Option<Placed<bool>>,
    pub(crate) whole: Vec<Placed<Whole>>,
    pub(crate) meters: Vec<MeterDraft>,
    pub(crate) plant: Option<PlantDraft>,
}

/// What a plant has that a station has not.
pub(crate) struct PlantDraft {
    pub(crate) mw: f64,
    pub(crate) gwh_per_year: Option<f64>,
    pub(crate) source: Option<Placed<String>>,
}

/// What a station's file says of its device, setting by setting.
#[derive(Default)]
pub(crate) struct DeviceDraft {
    pub(crate) reply_timeout_ms: Option<u32>,
    pub(crate) scan_timeout_ms: Option<u32>,
    pub(crate) in_flight: Option<u8>,
    pub(crate) registers_max: Option<u16>,
    pub(crate) bits_max: Option<u16>,
    pub(crate) gap_max: Option<u16>,
    pub(crate) pause_after_connect_ms: Option<u32>,
    pub(crate) pause_between_ms: Option<u32>,
    pub(crate) events: Option<bool>,
}

impl DeviceDraft {
    /// What is said here, and what `other` has of the rest.
    pub(crate) fn over(&self, other: &DeviceLimits) -> DeviceLimits {
        DeviceLimits {
            reply_timeout_ms: self.reply_timeout_ms.unwrap_or(other.reply_timeout_ms),
            scan_timeout_ms: self.scan_timeout_ms.unwrap_or(other.scan_timeout_ms),
            in_flight: self.in_flight.unwrap_or(other.in_flight),
            registers_max: self.registers_max.unwrap_or(other.registers_max),
            bits_max: self.bits_max.unwrap_or(other.bits_max),
            gap_max: self.gap_max.unwrap_or(other.gap_max),
            pause_after_connect_ms: self
                .pause_after_connect_ms
                .unwrap_or(other.pause_after_connect_ms),
            pause_between_ms: self.pause_between_ms.unwrap_or(other.pause_between_ms),
            events: self.events.unwrap_or(other.events),
        }
    }
}

/// Host and port.
pub(crate) type Address = (String, u16);

/// Something said of a group of points.
pub(crate) struct Remark {
    pub(crate) points: Vec<Placed<String>>,
    pub(crate) at: Option<Vec<Placed<String>>>,
    pub(crate) since: Option<Date>,
    pub(crate) why: Option<Name>,
}

/// Where a real device has a point.
pub(crate) struct Pin {
    pub(crate) point: Placed<String>,
    pub(crate) unit: Option<u8>,
    pub(crate) table: Option<RegisterTable>,
    pub(crate) address: Option<u16>,
    pub(crate) encoding: Option<Placed<Encoding>>,
    pub(crate) word_order: Option<WordOrder>,
    pub(crate) quality_address: Option<u16>,
}

/// Meters of a station in one district, by class.
pub(crate) struct MeterDraft {
    pub(crate) district: Option<Placed<String>>,
    pub(crate) installed: Vec<(Placed<String>, u32)>,
    pub(crate) remote: Vec<(Placed<String>, u32)>,
}

/// What each centre shows, before it is known which centres there are.
pub(crate) type Identities = Vec<(Placed<String>, Option<Identity>)>;
