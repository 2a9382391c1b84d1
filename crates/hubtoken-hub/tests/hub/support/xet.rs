//! A client of Xet, as small as one can be: it packs chunks of a fixed size into one xorb, and sends
//! it with a shard.

use axum::body::Body;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use xet_core_structures::merklehash::{MerkleHash, compute_data_hash, file_hash, xorb_hash};
use xet_core_structures::metadata_shard::chunk_verification::range_hash_from_chunks;
use xet_core_structures::metadata_shard::file_structs::{
    FileDataSequenceEntry, FileDataSequenceHeader, FileMetadataExt, FileVerificationEntry,
    MDBFileInfo,
};
use xet_core_structures::metadata_shard::shard_in_memory::MDBInMemoryShard;
use xet_core_structures::metadata_shard::xorb_structs::{
    MDBXorbInfo, XorbChunkSequenceEntry, XorbChunkSequenceHeader,
};
use xet_core_structures::xorb_object::{CompressionScheme, serialize_chunk};

use super::world::{Answer, ENDPOINT, World};

/// The length of all chunks but the last.
pub const CHUNK: usize = 1000;

/// A file, packed.
pub struct Packed {
    pub data: Vec<u8>,
    pub chunks: Vec<(MerkleHash, u64)>,
    /// The xorb as it is sent.
    pub xorb: Vec<u8>,
    pub xorb_hash: MerkleHash,
    pub file_hash: MerkleHash,
}

/// One of Xet's tokens, and where it is used.
pub struct XetToken {
    pub store: String,
    pub token: String,
}

impl XetToken {
    /// A token, and the address that was named with it.
    pub fn at(address: &Value, token: &Value) -> Self {
        let path = address.as_str().unwrap().strip_prefix(ENDPOINT).unwrap();
        Self {
            store: path.to_owned(),
            token: token.as_str().unwrap().to_owned(),
        }
    }
}

pub fn pack(data: &[u8], scheme: CompressionScheme) -> Packed {
    let (mut chunks, mut xorb) = (Vec::new(), Vec::new());
    for chunk in data.chunks(CHUNK) {
        chunks.push((compute_data_hash(chunk), chunk.len() as u64));
        serialize_chunk(chunk, &mut xorb, scheme).unwrap();
    }
    Packed {
        data: data.to_vec(),
        xorb,
        xorb_hash: xorb_hash(&chunks),
        file_hash: file_hash(&chunks),
        chunks,
    }
}

impl Packed {
    pub fn sha256(&self) -> String {
        hubtoken_core::hexadecimal::encode(&Sha256::digest(&self.data))
    }

    /// The description of the xorb.
    pub fn xorb_info(&self) -> MDBXorbInfo {
        let mut start = 0;
        let chunks = self.chunks.iter().map(|(hash, length)| {
            let length = u32::try_from(*length).unwrap();
            start += length;
            XorbChunkSequenceEntry::new(*hash, length, start - length)
        });
        let chunks: Vec<_> = chunks.collect();
        let count = u32::try_from(chunks.len()).unwrap();
        MDBXorbInfo {
            metadata: XorbChunkSequenceHeader::new(self.xorb_hash, count, start),
            chunks,
        }
    }

    /// The description of the file.
    pub fn file_info(&self) -> MDBFileInfo {
        let hashes: Vec<MerkleHash> = self.chunks.iter().map(|(hash, _)| *hash).collect();
        let count = u32::try_from(hashes.len()).unwrap();
        let length = u32::try_from(self.data.len()).unwrap();
        MDBFileInfo {
            metadata: FileDataSequenceHeader::new(self.file_hash, 1_u32, true, true),
            segments: vec![FileDataSequenceEntry::new(
                self.xorb_hash,
                length,
                0_u32,
                count,
            )],
            verification: vec![FileVerificationEntry::new(range_hash_from_chunks(&hashes))],
            metadata_ext: Some(FileMetadataExt::new(
                MerkleHash::from_hex(&self.sha256()).unwrap(),
            )),
        }
    }

    /// A shard with both.
    pub fn shard(&self) -> Vec<u8> {
        shard(&[self.xorb_info()], &[self.file_info()])
    }
}

pub fn shard(xorbs: &[MDBXorbInfo], files: &[MDBFileInfo]) -> Vec<u8> {
    let mut shard = MDBInMemoryShard::default();
    for xorb in xorbs {
        shard.add_xorb_block(xorb.clone()).unwrap();
    }
    for file in files {
        shard.add_file_reconstruction_info(file.clone()).unwrap();
    }
    shard.to_bytes().unwrap()
}

impl World {
    /// Trades an access token for one of Xet's.
    pub fn xet_token(&self, repository: &str, right: &str, token: Option<&str>) -> Answer {
        let path = format!("/api/{repository}/xet-{right}-token/main");
        self.get(&path, token)
    }

    /// One of Xet's tokens for `models/alice/m`.
    pub fn xet(&self, right: &str, token: &str) -> XetToken {
        self.xet_of("models/alice/m", right, token)
    }

    /// One of Xet's tokens for a repository.
    pub fn xet_of(&self, repository: &str, right: &str, token: &str) -> XetToken {
        let answer = self.xet_token(repository, right, Some(token));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        XetToken::at(&body["casUrl"], &body["accessToken"])
    }

    /// A request to the store.
    pub fn xet_ask(&self, method: &str, xet: &XetToken, path: &str, body: &[u8]) -> Answer {
        self.xet_ask_with(method, xet, path, &[], body)
    }

    pub fn xet_ask_with(
        &self,
        method: &str,
        xet: &XetToken,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let path = format!("{}/v1{path}", xet.store);
        let body = Body::from(body.to_vec());
        self.ask(method, &path, Some(&xet.token), headers, body)
    }

    /// Uploads a xorb.
    pub fn send_xorb(&self, xet: &XetToken, packed: &Packed) -> Answer {
        let path = format!("/xorbs/default/{}", packed.xorb_hash.hex());
        self.xet_ask("POST", xet, &path, &packed.xorb)
    }

    /// Uploads a file.
    pub fn send_file(&self, xet: &XetToken, packed: &Packed) {
        let answer = self.send_xorb(xet, packed);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = self.xet_ask("POST", xet, "/shards", &packed.shard());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A file, put together from what a reconstruction names.
    pub fn fetch_file(&self, reconstruction: &Value) -> Vec<u8> {
        let mut data = Vec::new();
        for term in reconstruction["terms"].as_array().unwrap() {
            let (hash, range) = (term["hash"].as_str().unwrap(), &term["range"]);
            let fetch = reconstruction["fetch_info"][hash]
                .as_array()
                .unwrap()
                .iter()
                .find(|fetch| {
                    fetch["range"]["start"].as_u64() <= range["start"].as_u64()
                        && fetch["range"]["end"].as_u64() >= range["end"].as_u64()
                })
                .unwrap();
            let url = fetch["url"].as_str().unwrap();
            let bytes = &fetch["url_range"];
            let bytes = format!("bytes={}-{}", bytes["start"], bytes["end"]);
            let path = url.strip_prefix(ENDPOINT).unwrap();
            let answer = self.ask("GET", path, None, &[("range", &bytes)], Body::empty());
            assert_eq!(answer.status, 206, "{}", answer.text());
            let (unpacked, ends) =
                xet_core_structures::xorb_object::deserialize_chunks(&mut answer.body.as_slice())
                    .unwrap();
            let first = fetch["range"]["start"].as_u64().unwrap();
            let at = |name: &str| {
                let index = range[name].as_u64().unwrap() - first;
                ends[usize::try_from(index).unwrap()] as usize
            };
            let part = &unpacked[at("start")..at("end")];
            assert_eq!(part.len() as u64, term["unpacked_length"].as_u64().unwrap());
            data.extend_from_slice(part);
        }
        let offset = reconstruction["offset_into_first_range"].as_u64().unwrap();
        data.split_off(usize::try_from(offset).unwrap())
    }
}
