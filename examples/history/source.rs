//! The recording that everybody is given, and which of its points are compared: whole stations of a
//! centre, so that every chunk is either in the comparison with all of its columns or not at all.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Encoding, Province};
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::collector::plan::{BlockContent, Item, Plan, plans};
use gridwatch::series::chunk::{Chunk, RawType};
use gridwatch::signal::layout::Part;
use gridwatch::store::Reader;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

const HOUR_MS: i64 = 3_600_000;

/// A recording of a day.
pub(super) struct Source {
    pub(super) province: Arc<Province>,
    pub(super) plans: Vec<Arc<Plan>>,
    pub(super) day: Range<Timestamp>,
    pub(super) blocks: Vec<Block>,
    pub(super) series: Vec<Series>,
    /// Measurements are stirred.
    noisy: bool,
    connection: Connection,
}

/// Values that come with one reply.
pub(super) struct Block {
    /// Its number in the store.
    id: i64,
    pub(super) channel: ChannelId,
    /// Its number in the plan.
    pub(super) number: usize,
    /// What its columns are.
    pub(super) items: Vec<Item>,
    /// Series of its values.
    pub(super) series: Range<usize>,
}

/// The values of a point.
pub(super) struct Series {
    pub(super) column: usize,
    pub(super) station: String,
    pub(super) centre: String,
    /// Number of its block.
    pub(super) block: usize,
    /// Id of the point.
    pub(super) id: String,
    pub(super) encoding: Encoding,
}

impl Source {
    /// Opens a store for some stations of a centre.
    pub(super) fn open(folder: &Path, centre: &str, stations: &str) -> Self {
        let reader = Reader::open(folder).expect("a store");
        let session = *reader.sessions().expect("sessions").last().expect("a session");
        let province = reader.contract(session.contract).expect("its contract").province;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(folder.join("gridwatch.db"), flags);
        let connection = connection.expect("the database of the store");
        let first: i64 = connection
            .query_row("SELECT min(from_ms) FROM chunk", [], |row| row.get(0))
            .expect("values");
        let from = Timestamp(first.div_euclid(HOUR_MS) * HOUR_MS);
        let mut source = Self {
            plans: plans(&province),
            province: Arc::clone(&province),
            day: from..from.plus(DAY_MS),
            blocks: Vec::new(),
            series: Vec::new(),
            noisy: std::env::var_os("NOISY").is_some(),
            connection,
        };
        let centre_id = province.centre(centre).expect("a centre of the province");
        for station in stations.split(',') {
            let found = province.channels.iter().position(|channel| {
                channel.centre == centre_id
                    && province.stations[channel.station.index()].id == station
            });
            source.take_station(ChannelId::at(found.expect("a station of the centre")), centre);
        }
        source
    }

    fn take_station(&mut self, channel: ChannelId, centre: &str) {
        let province = Arc::clone(&self.province);
        let of_channel = &province.channels[channel.index()];
        let station = &province.stations[of_channel.station.index()];
        for (number, block) in self.plans[channel.index()].blocks.iter().enumerate() {
            let BlockContent::Points(items) = &block.content else { continue };
            let columns = items.iter().fold(String::new(), |mut text, item| {
                let part = if item.part == Part::Value { "value" } else { "quality" };
                let point = station.points[item.point.index()].local_id();
                writeln!(text, "{point} {part}").expect("a string");
                text
            });
            let id: Option<i64> = self
                .connection
                .prepare_cached(
                    "SELECT block.id FROM block JOIN layout ON layout.id = block.layout
                     JOIN path ON path.id = block.path
                     WHERE station = ?1 AND centre = ?2 AND columns = ?3",
                )
                .and_then(|mut query| {
                    query.query_row([&station.id, centre, &columns], |row| row.get(0)).optional()
                })
                .expect("blocks");
            let Some(id) = id else { continue };
            let before = self.series.len();
            for (column, item) in items.iter().enumerate() {
                let Some(register) = of_channel.entries[item.point.index()].register else {
                    continue;
                };
                if item.part == Part::Value {
                    self.series.push(Series {
                        column,
                        station: station.id.clone(),
                        centre: centre.to_owned(),
                        block: self.blocks.len(),
                        id: station.points[item.point.index()].id.clone(),
                        encoding: register.encoding,
                    });
                }
            }
            let (items, series) = (items.clone(), before..self.series.len());
            self.blocks.push(Block { id, channel, number, items, series });
        }
    }

    /// The chunks of a block that have rows in a span of time.
    pub(super) fn chunks(&self, block: &Block, span: &Range<Timestamp>) -> Vec<Chunk> {
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT data FROM chunk WHERE block = ?1 AND until_ms >= ?2 AND from_ms < ?3
                 ORDER BY from_ms, id",
            )
            .expect("chunks");
        let mut rows = query.query(params![block.id, span.start.0, span.end.0]).expect("chunks");
        let mut chunks = Vec::new();
        while let Some(row) = rows.next().expect("a chunk") {
            let bytes = row.get_ref(0).expect("a column").as_blob().expect("bytes");
            chunks.push(Chunk::from_bytes(Arc::from(bytes)).expect("a whole chunk"));
        }
        chunks
    }

    /// The raw value of a point at a time as everybody is given it. When it is to be noisy, as it would
    /// come from transducers without a deadband: up to two counts either way for a measurement of
    /// 16 bits, and chance in the 14 lowest of the 23 bits behind the point of a float.
    pub(super) fn raw(
        &self,
        (block, column): (&Block, usize),
        at: Timestamp,
        (raw_type, raw): (RawType, u64),
    ) -> u64 {
        let item = block.items[column];
        if !self.noisy || item.part == Part::Quality || raw_type.counts(raw).is_none() {
            return raw;
        }
        let chance = mix(at.0.cast_unsigned() << 20 ^ u64::from(item.point.0)) >> 40;
        let stirred = match raw_type {
            RawType::Signed16 => (raw + 0xFFFE + chance % 5) & 0xFFFF,
            RawType::Float32 => raw & !0x3FFF | chance & 0x3FFF,
            _ => raw,
        };
        if raw_type.counts(stirred).is_some() { stirred } else { raw }
    }

    /// Says what is compared, and what it takes in the store.
    pub(super) fn tell(&self) {
        let mut sum = [0_i64; 3];
        for block in &self.blocks {
            let (count, rows, bytes): (i64, i64, i64) = self
                .connection
                .query_row(
                    "SELECT count(*), sum(rows), sum(length(data)) FROM chunk WHERE block = ?1",
                    [block.id],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .expect("chunks");
            sum[0] += count;
            sum[1] += rows;
            sum[2] += bytes;
        }
        let pages = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE
            AND name IN ('chunk', 'chunk_by_time', 'block', 'layout', 'sqlite_autoindex_layout_1',
                'sqlite_autoindex_block_1')";
        let pages: i64 = self.connection.query_row(pages, [], |row| row.get(0)).expect("dbstat");
        println!("points {}", self.series.len());
        println!("blocks {}", self.blocks.len());
        println!("day_end {}", self.day.end.0);
        println!("chunks {}", sum[0]);
        println!("rows {}", sum[1]);
        println!("chunk_bytes {}", sum[2]);
        println!("table_bytes {pages}");
    }
}

fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x7FB5_D329_728E_A185);
    let n = (n ^ n >> 27).wrapping_mul(0x81DA_DEF4_BC2D_D44D);
    n ^ n >> 33
}
