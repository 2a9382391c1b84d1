#![allow(clippy::unwrap_used)]
use std::collections::HashSet;
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use xet_core_structures::merklehash::{compute_data_hash, file_hash, xorb_hash};
use xet_core_structures::metadata_shard::chunk_verification::range_hash_from_chunks;
use xet_core_structures::metadata_shard::file_structs::{
    FileDataSequenceEntry, FileDataSequenceHeader, FileVerificationEntry,
};
use xet_core_structures::metadata_shard::shard_in_memory::MDBInMemoryShard;
use xet_core_structures::xorb_object::{CompressionScheme, serialize_chunk};

use super::garbage::GRACE;
use super::*;

/// Stores chunks as one xorb.
fn store_xorb(store: &XetStore, chunks: &[Vec<u8>]) -> MerkleHash {
    let mut packed = Vec::new();
    let mut hashes = Vec::new();
    for chunk in chunks {
        serialize_chunk(chunk, &mut packed, CompressionScheme::LZ4).unwrap();
        hashes.push((compute_data_hash(chunk), chunk.len() as u64));
    }
    let hash = xorb_hash(&hashes);
    let mut incoming = store.receive_xorb().unwrap();
    incoming.write(&packed).unwrap();
    store.keep_xorb(incoming.verify(&hash).unwrap()).unwrap();
    hash
}

/// Stores a file that consists of runs of chunks of xorbs.
fn store_file(store: &XetStore, parts: &[(MerkleHash, u32, u32)]) -> (MerkleHash, ObjectId) {
    let mut file = MDBFileInfo::default();
    let mut chunks = Vec::new();
    for (xorb, first, end) in parts {
        let object = store.xorb(xorb).unwrap().unwrap().object;
        let range = object.chunk_hash_sizes(*first, *end).unwrap();
        let hashes: Vec<MerkleHash> = range.iter().map(|(hash, _)| *hash).collect();
        let length: u64 = range.iter().map(|(_, length)| length).sum();
        let length = u32::try_from(length).unwrap();
        file.segments
            .push(FileDataSequenceEntry::new(*xorb, length, *first, *end));
        file.verification
            .push(FileVerificationEntry::new(range_hash_from_chunks(&hashes)));
        chunks.extend(range);
    }
    let hash = file_hash(&chunks);
    file.metadata = FileDataSequenceHeader::new(hash, parts.len(), true, false);
    let mut shard = MDBInMemoryShard::default();
    shard.add_file_reconstruction_info(file).unwrap();
    let verified = store.verify_shard(&shard.to_bytes().unwrap()).unwrap();
    store.keep_shard(&verified).unwrap();
    let file = store.file_with_hash(&hash).unwrap().unwrap();
    let oid = file.metadata_ext.unwrap().sha256.hex();
    (hash, ObjectId::parse(&oid).unwrap())
}

fn read(store: &XetStore, hash: &MerkleHash, offset: u64) -> Vec<u8> {
    let file = store.file_with_hash(hash).unwrap().unwrap();
    let mut data = Vec::new();
    Content::open(store.clone(), file, offset)
        .unwrap()
        .read_to_end(&mut data)
        .unwrap();
    data
}

fn open() -> (tempfile::TempDir, XetStore) {
    let data = tempfile::TempDir::new().unwrap();
    let store = XetStore::new(&data.path().join("xet"), RepositoryType::Model, "a");
    (data, store)
}

fn age(store: &XetStore, by: Duration) {
    for what in ["xorbs", "files"] {
        for folder in std::fs::read_dir(store.folder.join(what)).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let file = File::open(file.unwrap().path()).unwrap();
                file.set_modified(SystemTime::now() - by).unwrap();
            }
        }
    }
}

#[test]
fn what_nothing_refers_to_is_collected_after_the_grace() {
    let (_data, store) = open();
    let own: Vec<Vec<u8>> = vec![vec![1; 50], vec![2; 60]];
    let (kept, shared) = (store_xorb(&store, &own), store_xorb(&store, &[vec![3; 70]]));
    let lonely = store_xorb(&store, &[vec![4; 80]]);
    let (kept_file, kept_oid) = store_file(&store, &[(kept, 0, 2), (shared, 0, 1)]);
    let (gone_file, gone_oid) = store_file(&store, &[(shared, 0, 1)]);
    let referenced = HashSet::from([kept_oid]);
    let collect = || store.collect(&referenced, SystemTime::now()).unwrap();
    assert_eq!(collect(), 0);
    age(&store, GRACE + Duration::from_mins(1));
    // Who is told that something is here may refer to it.
    assert!(store.length(gone_oid).unwrap().is_some());
    assert!(store.has_xorb(&lonely).unwrap());
    assert_eq!(collect(), 0);
    age(&store, GRACE + Duration::from_mins(1));
    assert_eq!(collect(), 2);
    assert!(store.file(gone_oid).unwrap().is_none());
    assert!(store.file_with_hash(&gone_file).unwrap().is_none());
    assert!(!store.has_xorb(&lonely).unwrap());
    assert_eq!(read(&store, &kept_file, 0).len(), 180);
    age(&store, GRACE + Duration::from_mins(1));
    assert_eq!(
        store
            .collect(&HashSet::new(), SystemTime::UNIX_EPOCH)
            .unwrap(),
        0
    );
}

#[test]
fn a_chunk_that_is_asked_about_keeps_what_it_came_with() {
    let (_data, store) = open();
    let chunk = vec![1; 50];
    let xorb = store_xorb(&store, std::slice::from_ref(&chunk));
    let hash = compute_data_hash(&chunk);
    assert!(store.chunks_beside(&hash).unwrap().is_none());
    let mut batch = durable::Batch::new(&store.incoming).unwrap();
    let of = |hash: MerkleHash| std::collections::BTreeSet::from([hash.into()]);
    store.add_batch(&mut batch, &of(xorb), &of(hash)).unwrap();
    batch.persist().unwrap();
    age(&store_with_files(&store), GRACE + Duration::from_mins(1));
    assert!(store.chunks_beside(&hash).unwrap().is_some());
    let collected = store.collect(&HashSet::new(), SystemTime::now()).unwrap();
    assert_eq!((collected, store.has_xorb(&xorb).unwrap()), (0, true));
    // A batch whose xorbs are gone is no answer.
    std::fs::remove_file(store.xorb_path(&xorb)).unwrap();
    assert!(store.chunks_beside(&hash).unwrap().is_none());
}

fn store_with_files(store: &XetStore) -> XetStore {
    std::fs::create_dir_all(store.folder.join("files")).unwrap();
    store.clone()
}

#[test]
fn a_damaged_store_is_an_error_and_not_other_content() {
    let (_data, store) = open();
    let xorb = store_xorb(&store, &[vec![1; 500]]);
    let (hash, _) = store_file(&store, &[(xorb, 0, 1)]);
    let path = store.xorb_path(&xorb);
    let content = std::fs::read(&path).unwrap();
    for length in [0, 3, 10, content.len() - 1] {
        std::fs::write(&path, &content[..length]).unwrap();
        let file = store.file_with_hash(&hash).unwrap().unwrap();
        let read = Content::open(store.clone(), file, 0)
            .and_then(|mut content| content.read_to_end(&mut Vec::new()));
        assert!(read.is_err(), "{length}");
    }
    std::fs::remove_file(&path).unwrap();
    let file = store.file_with_hash(&hash).unwrap().unwrap();
    assert!(Content::open(store.clone(), file.clone(), 0).is_err());
    assert!(store.reconstruction(&file, 0..1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A file of any runs of chunks is read as one would read their concatenation, from any offset,
    /// and its reconstruction covers every part of it.
    #[test]
    fn every_part_is_what_the_chunks_say(
        lengths in proptest::collection::vec(proptest::collection::vec(1_usize..40, 1..6), 1..4),
        runs in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..6),
        (from, to) in (any::<u16>(), any::<u16>()),
    ) {
        let (_data, store) = open();
        let mut value = 0_u8;
        let xorbs: Vec<(MerkleHash, Vec<Vec<u8>>)> = lengths
            .iter()
            .map(|lengths| {
                let chunks: Vec<Vec<u8>> = lengths
                    .iter()
                    .map(|length| {
                        value = value.wrapping_add(1);
                        vec![value; *length]
                    })
                    .collect();
                (store_xorb(&store, &chunks), chunks)
            })
            .collect();
        let mut expected = Vec::new();
        let mut parts = Vec::new();
        for (xorb, first, count) in runs {
            let (hash, chunks) = &xorbs[usize::from(xorb) % xorbs.len()];
            let first = usize::from(first) % chunks.len();
            let end = first + 1 + usize::from(count) % (chunks.len() - first);
            expected.extend(chunks[first..end].concat());
            parts.push((*hash, u32::try_from(first).unwrap(), u32::try_from(end).unwrap()));
        }
        let (hash, oid) = store_file(&store, &parts);
        let digest: [u8; 32] = Sha256::digest(&expected).into();
        prop_assert_eq!(oid.0, digest);
        let start = usize::from(from) % expected.len();
        let end = start + 1 + usize::from(to) % (expected.len() - start);
        prop_assert_eq!(&read(&store, &hash, start as u64), &expected[start..]);
        prop_assert_eq!(read(&store, &hash, expected.len() as u64).len(), 0);
        let file = store.file_with_hash(&hash).unwrap().unwrap();
        let found = store.reconstruction(&file, start as u64..end as u64).unwrap();
        let mut data = Vec::new();
        for term in &found.terms {
            let chunks = &xorbs.iter().find(|(hash, _)| *hash == term.xorb).unwrap().1;
            let run = chunks[term.chunks.start as usize..term.chunks.end as usize].concat();
            prop_assert_eq!(run.len(), term.unpacked_length as usize);
            data.extend(run);
            let is_fetched = found.fetches[&term.xorb].iter().any(|fetch| {
                fetch.chunks.start <= term.chunks.start && fetch.chunks.end >= term.chunks.end
            });
            prop_assert!(is_fetched);
        }
        let offset = usize::try_from(found.offset).unwrap();
        prop_assert_eq!(&data[offset..offset + end - start], &expected[start..end]);
    }
}
