//! History: what a window of time was like, from the verdicts that the store kept.
//!
//! Every millisecond of every required point of a window is accounted for once: good, not good for one
//! reason, or not observed. What nobody watched is never counted as good or as bad.

mod account;
pub mod alarms;
mod asking;
mod channel;
mod counted;
pub mod energy;
mod figure;
mod intervals;
mod past;
mod produced;
mod reading;
pub mod reliability;
mod sight;
mod sold;
pub mod voltage;
mod window;

/// What a device shows of nothing is below this share of its full scale: the offset of a transducer, and its noise.
const NOTHING: f64 = 0.004;

pub use account::{Account, PointSeen, Times};
pub use asking::Asking;
pub use channel::{ChannelHistory, LinkHistory, PointHistory, channel_history};
pub use counted::{Counted, Days, counted};
pub use figure::{Figure, FigureRow, Printed, Remark, What};
pub use intervals::{Interval, intervals};
pub use past::{Past, past, stood};
pub use produced::Produced;
pub use reading::{DayRead, Followed, Reading, Readings, readings};
pub use sight::Sight;
pub use sold::{Read, Sold, SoldBy};
pub use window::{Era, Span, Window};
