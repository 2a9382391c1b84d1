//! A registry's cache is never older than the changes it has acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fixture, fine, log, token};
use crate::registry::{
    CreatedToken, Decision, MemberToken, OrganizationRole, Registry, TokenPolicy, TokenRole,
};
use crate::secret::Secret;

/// A pseudo-random generator that produces the same sequence in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// Makes a random change; a rejected one is just as useful here. Returns the new token if one was
/// created.
async fn something(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    numbers: &mut Numbers,
    made: &[(&'static str, CreatedToken)],
) -> Option<(&'static str, CreatedToken)> {
    let context = fixture.embedder_context();
    let role = match numbers.below(4) {
        0 => TokenRole::Read,
        1 => TokenRole::Write,
        2 => fine(&["acme"]),
        _ => fine(&["acme/m", "alice"]),
    };
    let what = numbers.below(10);
    if made.is_empty() || what == 0 {
        let user = numbers.of(&USERS);
        let created = registry
            .create_token(user, token("t", role), &context)
            .await;
        return created.ok().map(|created| (user, created));
    }
    let (user, chosen) = &made[numbers.below(made.len())];
    let id = &chosen.info.id;
    match what {
        1 | 2 => {
            let fresh = registry.refresh_token(user, id, &context).await;
            return fresh.ok().map(|fresh| (*user, fresh));
        }
        3 => {
            let _ = registry.delete_token(user, id, &context).await;
        }
        4 => {
            let _ = registry.rename_token(user, id, "renamed", &context).await;
        }
        5 => {
            let _ = registry.change_token(user, id, role, &context).await;
        }
        6 => {
            let policy = numbers.of(&[
                TokenPolicy::AllowAll,
                TokenPolicy::FineGrainedOnly,
                TokenPolicy::RequireApproval,
            ]);
            let _ = registry.set_token_policy("acme", policy, &context).await;
        }
        7 => {
            let decision = numbers.of(&[Decision::Approve, Decision::Deny, Decision::Revoke]);
            let _ = registry
                .decide("acme", MemberToken::IdOrName(id), decision, &context)
                .await;
        }
        8 => {
            let role = numbers.of(&[OrganizationRole::Admin, OrganizationRole::Read]);
            let _ = registry.set_member("acme", user, role, &context).await;
        }
        _ if numbers.below(2) == 0 => {
            let _ = registry.remove_member("acme", user, &context).await;
        }
        _ => {
            let _ = registry.revoke(&[chosen.value.digest()], &context).await;
        }
    }
    None
}

pub(super) async fn what_is_remembered_is_what_the_database_says(fixture: &Fixture) {
    let registry = fixture.populated().await;
    for seed in [3, 1_000_003, 77_777_777] {
        let mut numbers = Numbers(seed);
        let mut made = Vec::new();
        for _ in 0..60 {
            made.extend(something(fixture, &registry, &mut numbers, &made).await);
            if made.len() > 12 {
                made.remove(0);
            }
            // `identify` compares the long-open registry with a freshly opened one.
            for (_, token) in &made {
                fixture.identify(&registry, &token.value).await;
            }
        }
    }
}

pub(super) async fn a_dead_value_is_dead_for_everybody_at_once(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let first = registry
        .create_token(
            "alice",
            token("ci", TokenRole::Write),
            &fixture.embedder_context(),
        )
        .await
        .unwrap();
    let dead: Arc<std::sync::Mutex<Vec<Secret>>> = Arc::default();
    let done = Arc::new(AtomicBool::new(false));
    let now = fixture.now();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (registry, dead, done) =
                (Arc::clone(&registry), Arc::clone(&dead), Arc::clone(&done));
            let first = first.value.clone();
            tokio::spawn(async move {
                let mut looked = 0_u32;
                while !done.load(Ordering::SeqCst) {
                    // Caches the current value if possible.
                    let last = dead.lock().unwrap().last().cloned();
                    let last_is_dead = last.is_some();
                    let value = last.unwrap_or_else(|| first.clone());
                    let known = registry.authenticate(&value.digest(), now).await.unwrap();
                    assert!(!(last_is_dead && known.is_some()), "a dead value works");
                    looked += 1;
                    tokio::task::yield_now().await;
                }
                looked
            })
        })
        .collect();
    let mut current = first;
    for _ in 0..100 {
        // Every registry has it cached, so there is something to invalidate.
        let digest = current.value.digest();
        assert!(registry.authenticate(&digest, now).await.unwrap().is_some());
        let fresh = registry
            .refresh_token("alice", "ci", &fixture.embedder_context())
            .await
            .unwrap();
        dead.lock().unwrap().push(current.value);
        let digest = fresh.value.digest();
        assert!(registry.authenticate(&digest, now).await.unwrap().is_some());
        current = fresh;
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

pub(super) async fn writers_do_not_lose_each_others_work(fixture: &Fixture) {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    let registry = fixture.populated().await;
    let before = log(&registry).await.len();
    let context = fixture.embedder_context();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (registry, context) = (Arc::clone(&registry), context.clone());
            tokio::spawn(async move {
                for number in 0..EACH {
                    let new = token(&format!("{writer}-{number}"), TokenRole::Read);
                    registry.create_token("alice", new, &context).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let tokens = registry.list_tokens("alice").await.unwrap();
    assert_eq!(tokens.len(), WRITERS * EACH);
    assert_eq!(log(&registry).await.len(), before + WRITERS * EACH);
}
