//! What a process and all it started have cost: Postfix is many.

use std::fs;
use std::time::Duration;

use crate::measure::{cpu, memory};

/// A process and all below it.
fn family(process: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        if let Some(parent) = fields(id).get(1).and_then(|word| word.parse::<u32>().ok()) {
            parents.push((id, parent));
        }
    }
    let mut family = vec![process];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(children.map(|&(id, _)| id));
        at += 1;
    }
    family
}

/// `/proc/PID/stat` from the state on.
fn fields(process: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in brackets may hold spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().map(str::to_owned).collect()
}

/// CPU time of a process, of all that it started, and of those of them that have ended.
pub(crate) fn cpu_of_all(process: u32) -> Duration {
    let ended: u32 = fields(process)
        .iter()
        .skip(13)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u32>().ok())
        .sum();
    let living: Duration = family(process).into_iter().map(cpu).sum();
    living + Duration::from_millis(10) * ended
}

/// Resident memory of all in bytes, at most so far, of each.
pub(crate) fn memory_of_all(process: u32) -> u64 {
    let family = family(process).into_iter();
    family.map(|process| memory(process).1).sum()
}
