//! Figures as Markdown tables, printed as they come.

/// Begins a table.
pub(crate) fn table(title: &str, columns: &[&str]) {
    println!("\n### {title}\n");
    row(columns.iter().map(|&column| column.to_owned()));
    row(columns.iter().map(|_| "---".to_owned()));
}

/// One line of it.
pub(crate) fn row(cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    println!("| {} |", cells.join(" | "));
}

/// Bytes in units that people read.
pub(crate) fn bytes(count: f64) -> String {
    if count.abs() >= 1e6 {
        format!("{:.1} MB", count / 1e6)
    } else {
        format!("{:.2} KB", count / 1e3)
    }
}
