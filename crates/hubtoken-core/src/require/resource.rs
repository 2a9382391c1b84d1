//! What the token of an OIDC exchange is for, which decides some requirements without the Hub.
//!
//! Such a token writes to the one repository that it was exchanged for. A job that is about to push
//! to another one has usually named the wrong one in `HF_OIDC_RESOURCE`, or in its own code. The Hub
//! would only say that the token may not write there, so this says which two do not go together.

use super::{Requirement, describe_action};
use crate::authorization::Remedy;
use crate::credential::Credential;
use crate::env;
use crate::error::{Denial, DenialKind, Error, ResponseDetails};
use crate::oauth::Resource;
use crate::role::WRITE;
use crate::target::Target;

impl Requirement {
    /// Rejects a requirement that a token of an exchange cannot meet, whoever exchanged it.
    ///
    /// # Errors
    ///
    /// [`Error::AccessDenied`], which names the repository and the resource.
    pub(super) fn check_resource(
        &self,
        credential: &Credential,
        target: &Target,
    ) -> Result<(), Error> {
        let writes = self.required.permission() == WRITE;
        let resource = credential.source.resource();
        // What an earlier version recorded may not be a resource for this one.
        let Some(resource) = resource.and_then(|text| Resource::parse(text).ok()) else {
            return Ok(());
        };
        let is_denied = match (&resource, target) {
            _ if !writes => false,
            // A token without any right to write.
            (Resource::User(_), _) => true,
            (Resource::Repository { .. }, Target::Anything) => false,
            (Resource::Repository { .. }, target) => !resource.may_write_to(target),
        };
        if is_denied {
            return Err(self.denied_by_resource(credential, &resource, target));
        }
        Ok(())
    }

    fn denied_by_resource(
        &self,
        credential: &Credential,
        resource: &Resource,
        target: &Target,
    ) -> Error {
        let named = match target {
            Target::Anything => None,
            target => Some(target.to_string()),
        };
        let mut denial = Denial {
            required: self.required.name().to_owned(),
            actual: Some(resource.describe_right()),
            target: named,
            ..Denial::default()
        };
        let other = match target {
            Target::Repository { .. } => Resource::parse(&target.to_string()).ok(),
            _ => None,
        };
        Remedy::Resource(other).apply_to(&mut denial, &credential.endpoint);
        let reason = format!(
            "it was exchanged for {}={resource}, and {}",
            env::HF_OIDC_RESOURCE,
            resource.describe_right()
        );
        Error::AccessDenied {
            response: ResponseDetails::default(),
            message: format!(
                "the token {} cannot {}: {}",
                credential.describe(),
                describe_action(&denial),
                denial.after(&reason)
            ),
            kind: DenialKind::InsufficientRole,
            denial: Box::new(denial),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::tests::credential;
    use crate::repository::RepositoryType;
    use crate::role::{Required, Role};
    use crate::source::{Placement, Source};

    fn denied(resource: &str, required: Required, repository: Option<&str>) -> Option<Error> {
        let requirement = Requirement {
            required,
            repository: repository.map(|text| (text.to_owned(), RepositoryType::Model)),
            namespace: None,
            must_exist: false,
            needed_until: None,
        };
        let target = requirement.target("somebody").unwrap();
        let source = Source::Placed {
            origin: Box::new(Source::Oidc(resource.to_owned())),
            by: Placement::Run,
        };
        let denied = [source.origin().clone(), source].map(|source| {
            let credential = credential(source, "https://huggingface.co");
            requirement.check_resource(&credential, &target).err()
        });
        let [exchanged, inherited] = denied;
        assert_eq!(exchanged.is_some(), inherited.is_some());
        exchanged
    }

    #[test]
    fn writing_elsewhere_is_denied_with_both_names() {
        let write = || Required::Role(Role::Write);
        for (resource, repository, is_denied) in [
            ("acme/x", Some("acme/x"), false),
            ("acme/x", Some("Acme/X"), false),
            ("acme/x", Some("acme/y"), true),
            ("acme/x", Some("datasets/acme/x"), true),
            ("datasets/acme/x", Some("acme/x"), true),
            ("kernels/acme/x", Some("acme/x"), true),
            ("acme/x", None, false),
            ("alice", Some("alice/x"), true),
            ("alice", None, true),
        ] {
            let error = denied(resource, write(), repository);
            assert_eq!(error.is_some(), is_denied, "{resource} {repository:?}");
            let Some(error) = error else { continue };
            let Error::AccessDenied { denial, kind, .. } = &error else {
                unreachable!("{error}");
            };
            assert_eq!(*kind, DenialKind::InsufficientRole);
            assert_eq!(denial.target.as_deref(), repository);
            let message = error.to_string();
            assert!(
                message.contains(&format!("HF_OIDC_RESOURCE={resource}")),
                "{message}"
            );
            assert!(
                message.contains(repository.unwrap_or_default()),
                "{message}"
            );
        }
        let error = denied("acme/x", write(), Some("datasets/acme/y")).unwrap();
        assert_eq!(
            error.to_string(),
            "the token hf_…keXX from the OIDC exchange for `acme/x` cannot write to \
             datasets/acme/y: it was exchanged for HF_OIDC_RESOURCE=acme/x, and writes to `acme/x` \
             alone. Set HF_OIDC_RESOURCE to the repository that the job writes to, which needs a \
             trusted publisher: https://huggingface.co/datasets/acme/y/settings"
        );
        let error = denied("alice", write(), None).unwrap().to_string();
        assert!(
            error.contains("reads the gated repositories of `alice` alone"),
            "{error}"
        );
    }

    #[test]
    fn everything_else_is_for_the_hub_to_decide() {
        let permission = |name: &str| Required::permission_named(name).unwrap();
        for (resource, required) in [
            ("acme/x", Required::Role(Role::Read)),
            ("alice", Required::Role(Role::Read)),
            ("acme/x", permission("repo.content.read")),
            ("alice", permission("inference.serverless.write")),
            // Of a version with other kinds of resources.
            ("planets/acme/x", Required::Role(Role::Write)),
        ] {
            assert!(
                denied(resource, required, Some("acme/y")).is_none(),
                "{resource}"
            );
        }
        assert!(denied("acme/x", permission("repo.write"), Some("acme/y")).is_some());
    }
}
