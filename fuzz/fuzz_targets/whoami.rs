//! Fuzzes a whoami response: any bytes are an identity or rejected, what is shown of it cannot
//! control a terminal, and every permission check on it ends with a verdict.
#![no_main]

use hubtoken_core::authorization::authorize;
use hubtoken_core::endpoint::Endpoint;
use hubtoken_core::identity::model::Identity;
use hubtoken_core::repository::RepositoryType;
use hubtoken_core::role::{Required, Role};
use hubtoken_core::sanitize::replace_controls;
use hubtoken_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let endpoint = Endpoint::default_hub();
    let Ok(identity) = Identity::parse(body, &endpoint) else {
        return;
    };
    assert!(!identity.user.is_empty());
    assert_eq!(replace_controls(&identity.user), identity.user);
    let own = format!("{}/model", identity.user);
    let mut targets = vec![Target::Anything];
    for name in [own.as_str(), "acme/model", "model"] {
        targets.extend(Target::repository(name, RepositoryType::Model, &identity.user).ok());
    }
    let requirements = [
        Some(Required::Role(Role::Read)),
        Some(Required::Role(Role::Write)),
        Required::permission_named("inference.serverless.write").ok(),
    ];
    for required in requirements.iter().flatten() {
        for target in &targets {
            let verdict = authorize(&identity, required, target);
            assert!(!verdict.reason.is_empty());
            assert_eq!(replace_controls(&verdict.reason), verdict.reason);
        }
    }
});
