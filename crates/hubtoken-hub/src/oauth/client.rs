//! The programs that may ask for logins. All are public clients: a program that everybody can
//! install keeps no secret, so a client id says who asks only as far as the user believes it.

/// The id that `huggingface_hub` has built in.
pub(crate) const HUGGINGFACE_HUB: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";

/// The name by which a client's logins are listed, if the client is known.
pub(crate) fn name(client_id: &str) -> Option<&'static str> {
    (client_id == HUGGINGFACE_HUB).then_some("Hugging Face CLI and libraries")
}
