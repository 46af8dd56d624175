//! Databases of earlier versions that are damaged: what is whole in them is brought up, and the rest is told.
use super::*;

/// The state of `tests/upgrade`, and its batches with their events.
pub(super) fn earlier(version: i64, to: &Path) -> Vec<(i64, i64)> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/upgrade/tables-{version}.tar.gz"));
    let mut tar = std::process::Command::new("tar");
    tar.arg("xzf").arg(archive).arg("-C").arg(to).args(["--strip-components=1", "state"]);
    assert!(tar.status().unwrap().success());
    let db = rusqlite::Connection::open(to.join("spool.db")).unwrap();
    let mut s = db.prepare("SELECT id, events FROM batch ORDER BY id").unwrap();
    s.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// What a start gives of them: numbers and events of batches, what is told, and where source `day` stands.
pub(super) fn given(folder: &Path) -> (Vec<(i64, i64)>, Vec<String>, Option<String>) {
    let (spool, _) = Spool::open(SpoolOptions::new(folder.to_owned())).unwrap();
    let (mut batches, mut gaps, mut from) = (Vec::new(), Vec::new(), 0);
    while let Some(batch) = spool.next(from).unwrap() {
        match (0..batch.len()).filter_map(|n| batch.event(n)?.notice()).next() {
            Some(notice) => gaps.push(format!("{:?}", notice.fields)),
            None => batches.push((batch.id, batch.len() as i64)),
        }
        from = batch.id + 1;
    }
    (batches, gaps, spool.position("day").unwrap().map(|p| p.0))
}

/// Damage to a state costs the batches that are named, each told of, and no other.
#[track_caller]
fn costs(version: i64, sql: &'static str, lost: &[i64]) {
    let whole = tempfile::tempdir().unwrap();
    let mut batches = earlier(version, whole.path());
    let (.., position) = given(whole.path());
    assert!(position.as_ref().is_some_and(|p| p.contains("\"feed\"")), "{position:?}");
    let folder = tempfile::tempdir().unwrap();
    earlier(version, folder.path());
    by_hand(sql)(folder.path());
    batches.retain(|(id, _)| !lost.contains(id));
    for _ in 0..2 {
        let (found, gaps, stands) = given(folder.path());
        assert_eq!((&found, gaps.len()), (&batches, lost.len()), "{version}, {sql}: {gaps:?}");
        assert_eq!(stands, position, "{version}, {sql}");
    }
}

#[test]
fn a7_a_row_of_an_earlier_version_that_is_damaged_is_told_alone() {
    let about = "UPDATE batch SET about = CAST(CAST(substr(about, 1, 9) AS BLOB) || x'f3' || CAST(substr(about, 11) AS BLOB) AS TEXT) WHERE id = 1";
    for (sql, lost) in [
        ("SELECT 1", &[][..]),
        (about, &[1]),
        ("UPDATE batch SET source = x'6f6c64' WHERE id = 1", &[1]),
        ("UPDATE batch SET raw_sha256 = substr(raw_sha256, 2) WHERE id = 1", &[1]),
        ("UPDATE batch SET blob_sha256 = substr(blob_sha256, 2) WHERE id = 1", &[1]),
        ("UPDATE batch SET position = x'00' WHERE id = 1", &[1]),
        ("UPDATE batch SET blob = substr(blob, 2) WHERE id = 1", &[1]),
        ("UPDATE source SET position = x'00' WHERE name = 'old'", &[]),
        ("UPDATE sqlite_sequence SET seq = NULL", &[]),
        ("UPDATE sqlite_sequence SET seq = 'text'", &[]),
    ] {
        costs(1, sql, lost);
        costs(2, sql, lost);
    }
}

#[test]
fn a7_a_database_of_an_earlier_version_that_is_damaged_as_a_whole_gives_every_batch_that_is_whole() {
    for (sql, lost) in [
        ("CREATE INDEX another ON batch (source)", &[][..]),
        ("CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch WHERE id = new.id; END", &[]),
        ("CREATE INDEX another ON batch (source); UPDATE batch SET blob = substr(blob, 2) WHERE id = 1", &[1]),
        ("CREATE INDEX another ON batch (source); UPDATE batch SET about = x'00' WHERE id = 1", &[1]),
        ("DROP TABLE source", &[]),
    ] {
        costs(1, sql, lost);
        costs(2, sql, lost);
    }
}
