//! The large files of repositories, stored on disk beside git, which holds pointers to them.

mod objects;
mod pointer;

pub(crate) use self::objects::{LargeFile, Objects, RepositoryObjects, UploadError};
pub(crate) use self::pointer::{LENGTHS as POINTER_LENGTHS, ObjectId, Pointer};
