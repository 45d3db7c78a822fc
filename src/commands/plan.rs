//! `gridwatch plan`: the requests that the collector will send.

use ::config::Scan;
use clap::Args;
use gridwatch::collector::plan::{Content, Part, Plan, plans};

use super::{Common, ConfigArg, Failure, Outcome, say};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plan                         requests and bytes of every station
  gridwatch plan --station HB07          each request of one station")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// List each request of this station
    #[arg(long, value_name = "ID")]
    station: Option<String>,
}

pub(super) fn run(common: &Common, args: &PlanArgs) -> Outcome {
    let province = common.province(&args.config)?;
    let wanted = match &args.station {
        None => None,
        Some(id) => Some(province.station(id).ok_or_else(|| {
            let ids: Vec<&str> = province.stations.iter().map(|s| s.id.as_str()).collect();
            Failure::Usage(format!("no station '{id}'; there are {}", ids.join(", ")))
        })?),
    };
    say("station centre requests   points  bytes/scan  requests/s   by scan class")?;
    let (mut requests, mut per_second) = (0, 0.0);
    for (channel, plan) in province.channels.iter().zip(plans(&province)) {
        if wanted.is_some_and(|station| station != channel.station) {
            continue;
        }
        let rate: f64 = plan.blocks.iter().map(|b| 1.0 / province.scan.seconds(b.scan)).sum();
        requests += plan.blocks.len();
        per_second += rate;
        say(format_args!(
            "{:<7} {:<6} {:>8} {:>8} {:>11} {:>11.1}   {}",
            province.stations[channel.station.index()].id,
            province.centres[channel.centre.index()].id,
            plan.blocks.len(),
            plan.blocks.iter().map(|b| values(&b.content)).sum::<usize>(),
            plan.blocks.iter().map(|b| u64::from(b.wire_bytes())).sum::<u64>(),
            rate,
            by_class(&plan)
        ))?;
        if wanted.is_some() {
            for block in &plan.blocks {
                say(format_args!(
                    "  {:<8} unit {:>3}  function {:02} {:<8} {:>5}..{:<5} {:>4} cells {:>4} points",
                    block.scan.word(),
                    block.unit,
                    block.table.read_function(),
                    block.table.word(),
                    block.address,
                    u32::from(block.address) + u32::from(block.count) - 1,
                    block.count,
                    values(&block.content),
                ))?;
            }
        }
    }
    say(format_args!("in all {requests} requests, {per_second:.1} a second"))?;
    Ok(0)
}

/// Points whose value a block reads.
fn values(content: &Content) -> usize {
    match content {
        Content::Points(items) => items.iter().filter(|item| item.part == Part::Value).count(),
        Content::Meters | Content::Events => 0,
    }
}

fn by_class(plan: &Plan) -> String {
    let count = |scan: Scan| plan.blocks.iter().filter(|block| block.scan == scan).count();
    let classes = Scan::ALL.into_iter().filter(|scan| count(*scan) > 0);
    classes.map(|scan| format!("{} {}", scan.word(), count(scan))).collect::<Vec<_>>().join(", ")
}
