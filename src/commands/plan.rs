//! `gridwatch plan`: the requests that the collector will send.

use ::config::{DeviceLimits, Scan};
use clap::Args;
use gridwatch::collector::plan::{Block, BlockContent, Plan, plans};
use gridwatch::signal::layout::Part;

use super::{Common, ConfigArg, Outcome, say, site};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plan                         requests, bytes and scan time of every station
  gridwatch plan --round-trip 100        how long scans take over a slow link
  gridwatch plan --station HB07          each request of one station

The plan has the fewest requests that cover the points of each scan class within the limits of
the device (link settings in_flight, registers_max, bits_max, gap_max, and what is read whole),
and of all such plans one that reads the fewest registers.
Scan time: of everything at once, when a reply takes the round trip and requests share it as far
as the device takes several at once; transmission and the device's own time are not in it.")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// List each request of this station
    #[arg(long, value_name = "ID")]
    station: Option<String>,
    /// Round trip for which scan times are told, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(0..=60_000))]
    round_trip: u32,
}

pub(super) fn run(common: &Common, args: &PlanArgs) -> Outcome {
    let province = common.province(&args.config)?;
    let wanted = args.station.as_deref().map(|id| site(&province, id)).transpose()?;
    say(format_args!(
        "station centre requests   points  bytes/scan  requests/s  at once  scan ms at {:>3} ms   by \
         scan class",
        args.round_trip
    ))?;
    let (mut requests, mut per_second, mut bytes_per_second) = (0, 0.0, 0.0);
    for (channel, plan) in province.channels.iter().zip(plans(&province)) {
        if wanted.is_some_and(|station| station != channel.station) {
            continue;
        }
        let every = |block: &Block| province.scan.seconds(block.scan);
        let rate: f64 = plan.blocks.iter().map(|block| 1.0 / every(block)).sum();
        requests += plan.blocks.len();
        per_second += rate;
        bytes_per_second +=
            plan.blocks.iter().map(|b| f64::from(b.wire_bytes()) / every(b)).sum::<f64>();
        say(format_args!(
            "{:<7} {:<6} {:>8} {:>8} {:>11} {:>11.1} {:>8} {:>17}   {}",
            province.stations[channel.station.index()].id,
            province.centres[channel.centre.index()].id,
            plan.blocks.len(),
            plan.blocks.iter().map(|b| values(&b.content)).sum::<usize>(),
            plan.blocks.iter().map(|b| u64::from(b.wire_bytes())).sum::<u64>(),
            rate,
            together(&channel.device),
            scan_ms(plan.blocks.len(), &channel.device, args.round_trip),
            by_class(&plan)
        ))?;
        if wanted.is_some() {
            for block in &plan.blocks {
                say(line(block))?;
            }
        }
    }
    say(format_args!(
        "in all {requests} requests; {per_second:.1} a second, {:.1} kB a second both ways",
        bytes_per_second / 1_000.0
    ))?;
    Ok(0)
}

/// Requests that are under way at once.
fn together(device: &DeviceLimits) -> usize {
    if device.pause_between_ms > 0 { 1 } else { device.in_flight.into() }
}

/// Milliseconds that so many requests take.
fn scan_ms(requests: usize, device: &DeviceLimits, round_trip: u32) -> u64 {
    let rounds = requests.div_ceil(together(device)) as u64;
    let pauses = rounds.saturating_sub(1) * u64::from(device.pause_between_ms);
    rounds * u64::from(round_trip) + pauses
}

/// One request.
fn line(block: &Block) -> String {
    format!(
        "  {:<8} unit {:>3}  function {:02} {:<8} {:>5}..{:<5} {:>4} cells {:>5} bytes  {}",
        block.scan.word(),
        block.unit,
        block.table.read_function(),
        block.table.word(),
        block.address,
        u32::from(block.address) + u32::from(block.count) - 1,
        block.count,
        block.wire_bytes(),
        match &block.content {
            BlockContent::Points(_) => format!("{} points", values(&block.content)),
            BlockContent::Meters => "meters".to_owned(),
            BlockContent::Events => "events".to_owned(),
        }
    )
}

/// Points whose value a block reads.
fn values(content: &BlockContent) -> usize {
    match content {
        BlockContent::Points(items) => items.iter().filter(|item| item.part == Part::Value).count(),
        BlockContent::Meters | BlockContent::Events => 0,
    }
}

fn by_class(plan: &Plan) -> String {
    let count = |scan: Scan| plan.blocks.iter().filter(|block| block.scan == scan).count();
    let classes = Scan::ALL.into_iter().filter(|scan| count(*scan) > 0);
    classes.map(|scan| format!("{} {}", scan.word(), count(scan))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_share_round_trips_as_far_as_the_device_takes_them() {
        let mut device = DeviceLimits { in_flight: 8, ..DeviceLimits::default() };
        assert_eq!(scan_ms(12, &device, 100), 200);
        device.in_flight = 12;
        assert_eq!(scan_ms(12, &device, 100), 100);
        device.pause_between_ms = 30;
        assert_eq!(scan_ms(12, &device, 100), 12 * 100 + 11 * 30);
    }
}
