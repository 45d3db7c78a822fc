//! `gridwatch map`: the register map as CSV.

use std::io;

use clap::Args;

use super::{Common, ConfigArg, Failure, Outcome};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch map > map.csv
  gridwatch map config/small.toml --quality | grep S1.110.171

Addresses are zero-based, as on the wire: mbpoll wants '-0'. For example
  mbpoll -m tcp -0 -1 -a 1 -t 3 -r 0 -c 4 -p 15201 127.0.0.1   input registers 0 to 3 of unit 1")]
pub(super) struct MapArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Add a column with the address of each point's quality, in the same table
    #[arg(long)]
    quality: bool,
}

pub(super) fn run(common: &Common, args: &MapArgs) -> Outcome {
    let province = common.province(&args.config)?;
    let mut csv = csv::Writer::from_writer(io::stdout().lock());
    let quality = args.quality.then_some("quality_address");
    let columns = [
        "centre",
        "point",
        "host",
        "port",
        "unit",
        "table",
        "address",
        "type",
        "scale",
        "word_order",
        "name_en",
        "name_vi",
        "measured_in",
    ];
    csv.write_record(columns.into_iter().chain(quality)).map_err(failure)?;
    for channel in &province.channels {
        let station = &province.stations[channel.station.index()];
        let centre = &province.centres[channel.centre.index()];
        for (point, entry) in station.points.iter().zip(&channel.entries) {
            let Some(register) = &entry.register else { continue };
            let row = [
                centre.id.clone(),
                point.id.clone(),
                channel.host.clone(),
                channel.port.to_string(),
                register.unit.to_string(),
                register.table.word().to_owned(),
                register.address.to_string(),
                register.encoding.code().to_owned(),
                register.encoding.scale().to_string(),
                register.word_order.code().to_owned(),
                point.spec.name.en.clone(),
                point.spec.name.vi.clone(),
                point.spec.unit.clone(),
            ];
            let at = register.quality.map_or_else(String::new, |at| at.to_string());
            csv.write_record(row.into_iter().chain(args.quality.then_some(at))).map_err(failure)?;
        }
    }
    csv.flush()?;
    Ok(0)
}

fn failure(error: csv::Error) -> Failure {
    Failure::Output(match error.into_kind() {
        // As the system said it: whoever reads may have had enough.
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}
