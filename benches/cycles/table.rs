//! The table that the bench prints.

use super::measure::Measured;
use super::sink::Traffic;

/// A line of it.
pub struct Row {
    cells: [String; 7],
}

impl Row {
    /// Something measured, with its requests if it sent any.
    pub fn new(name: &str, measured: &Measured, traffic: Option<&Traffic>) -> Self {
        let seconds = measured.wall.as_secs_f64();
        let requests = traffic.map(Traffic::requests);
        #[allow(clippy::cast_precision_loss)]
        let rate = requests.filter(|requests| *requests > 0).map(|requests| format!("{:.0}", requests as f64 / seconds));
        #[allow(clippy::cast_precision_loss)]
        let memory = measured.peak_kb as f64 / 1024.0;
        let dash = || "–".to_owned();
        let cells = [
            name.to_owned(),
            format!("{seconds:.2}"),
            format!("{:.2}", measured.cpu.as_secs_f64()),
            requests.map_or_else(dash, |requests| requests.to_string()),
            rate.unwrap_or_else(dash),
            if measured.peak_kb == 0 { dash() } else { format!("{memory:.1}") },
            String::new(),
        ];
        Self { cells }
    }

    /// How many times as long as a yardstick.
    pub fn beside(mut self, yardstick: &str, ratio: Option<f64>) -> Self {
        self.cells[6] = ratio.map(|ratio| format!("{ratio:.2} × {yardstick}")).unwrap_or_default();
        self
    }
}

/// Prints the rows below a head, the columns as wide as they need to be.
pub fn print_table(rows: &[Row]) {
    let head = ["", "wall s", "cpu s", "requests", "per s", "peak MB", "time beside"].map(str::to_owned);
    let lines: Vec<&[String; 7]> = std::iter::once(&head).chain(rows.iter().map(|row| &row.cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    println!();
    for (number, line) in lines.iter().enumerate() {
        let cell = |column: usize| {
            let (text, width) = (&line[column], widths[column]);
            if column == 0 || column == 6 { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        println!("| {} |", (0..7).map(cell).collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let rule = |column: usize| {
                let dashes = "-".repeat(widths[column]);
                if column == 0 || column == 6 { format!("{dashes}-") } else { format!("{dashes}:") }
            };
            println!("| {}|", (0..7).map(rule).collect::<Vec<_>>().join("| "));
        }
    }
}
