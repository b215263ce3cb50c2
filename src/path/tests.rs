// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table as a whole: names, counts, locks between threads.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

fn at(id: u32) -> Target<'static> {
    Target { id, name: None, exclusive: false }
}

fn below(id: u32, name: &CStr, exclusive: bool) -> Target<'_> {
    Target { id, name: Some(name), exclusive }
}

fn path(table: &Table, id: u32) -> CString {
    table.lock(at(id), None).unwrap().path(0).to_owned()
}

fn rename(table: &Table, from: (u32, &CStr), to: (u32, &CStr), exchange: bool) {
    let locked = table.lock(below(from.0, from.1, true), Some(below(to.0, to.1, true))).unwrap();
    table.rename(&locked, from, to, exchange);
}

fn empty(table: &Table) -> bool {
    table.counts() == Counts::default()
}

#[test]
fn paths_and_lookups() {
    let table = Table::new();
    assert_eq!(path(&table, ROOT).as_c_str(), c"/");
    let dir = table.find(ROOT, b"dir").unwrap();
    let file = table.find(dir.id, b"file").unwrap();
    assert_eq!(table.find(dir.id, b"file").unwrap(), file);
    assert_eq!(path(&table, file.id).as_c_str(), c"/dir/file");
    assert_eq!(table.resolve(c"/dir/file"), Some(file.id));
    assert_eq!(table.resolve(c"/dir/other"), None);
    assert_eq!(table.counts(), Counts { nodes: 2, lookups: 3 });
    table.forget(dir.id.into(), 1);
    assert_eq!(path(&table, file.id).as_c_str(), c"/dir/file", "a child keeps its parent");
    table.forget(file.id.into(), 1);
    table.forget(file.id.into(), 1);
    assert!(empty(&table));
    assert!(table.lock(at(file.id), None).is_err());
    let again = table.find(ROOT, b"dir").unwrap();
    assert!(again.id != dir.id || again.generation != dir.generation);
}

#[test]
fn renames_of_all_kinds() {
    let table = Table::new();
    let (a, b) = (table.find(ROOT, b"a").unwrap().id, table.find(ROOT, b"b").unwrap().id);
    let (x, y) = (table.find(a, b"x").unwrap().id, table.find(b, b"y").unwrap().id);
    rename(&table, (a, c"x"), (b, c"a name that does not fit into the node"), false);
    assert_eq!(path(&table, x).as_c_str(), c"/b/a name that does not fit into the node");
    rename(&table, (b, c"a name that does not fit into the node"), (b, c"y"), false);
    assert_eq!(path(&table, x).as_c_str(), c"/b/y");
    assert_eq!(table.lock(at(y), None).err().map(|e| e.raw()), Some(libc::ESTALE));
    let z = table.find(a, b"z").unwrap().id;
    rename(&table, (a, c"z"), (b, c"y"), true);
    assert_eq!(path(&table, z).as_c_str(), c"/b/y");
    assert_eq!(path(&table, x).as_c_str(), c"/a/z");
    rename(&table, (ROOT, c"b"), (a, c"b"), false);
    assert_eq!(path(&table, z).as_c_str(), c"/a/b/y");
    for id in [a, b, x, y, z] {
        table.forget(id.into(), 1);
    }
    assert!(empty(&table));
}

#[test]
fn a_path_below_a_rename_waits_for_it_and_others_do_not() {
    let table = Arc::new(Table::new());
    let dir = table.find(ROOT, b"dir").unwrap().id;
    let (file, other) = (table.find(dir, b"file").unwrap().id, table.find(ROOT, b"other").unwrap().id);
    let renaming = table.lock(below(ROOT, c"dir", true), Some(below(ROOT, c"new", true))).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (table, done) = (table.clone(), done.clone());
        move || {
            let seen = path(&table, file);
            assert!(done.load(Ordering::SeqCst));
            seen
        }
    });
    thread::sleep(Duration::from_millis(30));
    assert_eq!(path(&table, other).as_c_str(), c"/other");
    table.rename(&renaming, (ROOT, c"dir"), (ROOT, c"new"), false);
    done.store(true, Ordering::SeqCst);
    drop(renaming);
    assert_eq!(reader.join().unwrap().as_c_str(), c"/new/file");
}

#[test]
fn a_rename_waits_for_operations_below_and_goes_before_new_ones() {
    let table = Arc::new(Table::new());
    let dir = table.find(ROOT, b"dir").unwrap().id;
    let file = table.find(dir, b"file").unwrap().id;
    let first = table.lock(at(file), None).unwrap();
    let writer = thread::spawn({
        let table = table.clone();
        move || rename(&table, (ROOT, c"dir"), (ROOT, c"new"), false)
    });
    thread::sleep(Duration::from_millis(30));
    let second = thread::spawn({
        let table = table.clone();
        move || path(&table, file)
    });
    thread::sleep(Duration::from_millis(30));
    assert!(!writer.is_finished() && !second.is_finished());
    assert_eq!(first.path(0), c"/dir/file");
    drop(first);
    writer.join().unwrap();
    assert_eq!(second.join().unwrap().as_c_str(), c"/new/file");
}

#[test]
fn a_reader_that_is_needed_passes_a_waiting_writer_after_a_while() {
    let table = Arc::new(Table::new());
    let dir = table.find(ROOT, b"dir").unwrap().id;
    let first = table.lock(at(dir), None).unwrap();
    let writer = thread::spawn({
        let table = table.clone();
        move || rename(&table, (ROOT, c"dir"), (ROOT, c"new"), false)
    });
    thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    assert_eq!(path(&table, dir).as_c_str(), c"/dir");
    assert!(start.elapsed() < 5 * super::wait::PATIENCE);
    drop(first);
    writer.join().unwrap();
    assert_eq!(path(&table, dir).as_c_str(), c"/new");
}

#[test]
fn what_is_removed_has_no_path_but_lives_on() {
    let table = Table::new();
    let file = table.find(ROOT, b"file").unwrap();
    let locked = table.lock(below(ROOT, c"file", true), None).unwrap();
    table.remove_name(&locked, ROOT, c"file");
    drop(locked);
    assert_eq!(table.lock(at(file.id), None).err().map(|e| e.raw()), Some(libc::ESTALE));
    let new = table.find(ROOT, b"file").unwrap();
    assert_ne!(new.id, file.id);
    table.forget(file.id.into(), 1);
    assert_eq!(path(&table, new.id).as_c_str(), c"/file");
    table.forget(new.id.into(), 1);
    assert!(empty(&table));
}

#[test]
fn a_rename_onto_its_own_directory_is_refused() {
    let table = Table::new();
    let a = table.find(ROOT, b"a").unwrap().id;
    let b = table.find(a, b"b").unwrap().id;
    table.find(b, b"c").unwrap();
    for (from, to) in [((b, c"c"), (ROOT, c"a")), ((ROOT, c"a"), (b, c"x"))] {
        let locked = table.lock(below(from.0, from.1, true), Some(below(to.0, to.1, true)));
        assert_eq!(locked.err().map(|e| e.raw()), Some(libc::EBUSY));
    }
    assert_eq!(path(&table, b).as_c_str(), c"/a/b");
}

#[test]
fn remembered_nodes_keep_their_numbers_for_a_while() {
    let table = Table::new();
    table.set_remember(1);
    let dir = table.find(ROOT, b"dir").unwrap().id;
    let file = table.find(dir, b"file").unwrap();
    table.forget(dir.into(), 1);
    table.forget(file.id.into(), 1);
    table.clean();
    assert_eq!(table.find(dir, b"file").unwrap(), file);
    table.forget(file.id.into(), 1);
    thread::sleep(Duration::from_millis(1100));
    table.clean();
    thread::sleep(Duration::from_millis(1100));
    assert!(table.clean() <= Duration::from_secs(1));
    assert!(empty(&table));
    table.set_remember(-1);
    let kept = table.find(ROOT, b"kept").unwrap();
    table.forget(kept.id.into(), 1);
    assert_eq!(table.find(ROOT, b"kept").unwrap(), kept);
}

/// Lookups, forgets, renames and removals by many threads: paths are always whole, and nothing is left at the end.
#[test]
fn many_threads() {
    let table = Arc::new(Table::new());
    let dirs: Vec<u32> = (0..4).map(|n| table.find(ROOT, format!("dir{n}").as_bytes()).unwrap().id).collect();
    let threads: Vec<_> = (0..6)
        .map(|seed| {
            let (table, dirs) = (table.clone(), dirs.clone());
            thread::spawn(move || work(&table, &dirs, seed))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for id in dirs {
        table.forget(id.into(), 1);
    }
    assert!(empty(&table), "{:?}", table.counts());
}

fn work(table: &Table, dirs: &[u32], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % below
    };
    let names = [c"a", c"b", c"c", c"a name that is longer than a node has room for"];
    let mut mine = Vec::new();
    for _ in 0..20_000 {
        let (dir, name) = (dirs[random(dirs.len())], names[random(names.len())]);
        match random(8) {
            0 => {
                let locked = table.lock(below(dir, name, true), None).unwrap();
                table.remove_name(&locked, dir, name);
            }
            1 => rename(table, (dir, name), (dirs[random(dirs.len())], names[random(4)]), random(3) == 0),
            2 | 3 if !mine.is_empty() => {
                let id: u32 = mine.swap_remove(random(mine.len()));
                table.forget(id.into(), 1);
            }
            4 if !mine.is_empty() => match table.lock(at(mine[random(mine.len())]), None) {
                Ok(locked) => assert_eq!(locked.path(0).to_bytes().split(|&b| b == b'/').count(), 3),
                Err(e) => assert_eq!(e.raw(), libc::ESTALE),
            },
            _ => {
                let _locked = table.lock(at(dir), None).unwrap();
                mine.push(table.find(dir, name.to_bytes()).unwrap().id);
            }
        }
    }
    for id in mine {
        table.forget(id.into(), 1);
    }
}
