//! The tests that every registry implementation must pass, whatever its database.
//!
//! [`run_all`] lists all of them once, so adding a database takes one line. Each test gets a
//! [`Fixture`], in which the same registry can be reopened, as after a restart.

mod approvals;
mod audit;
mod caching;
mod decisions;
mod entities;
mod publishers;
mod service_accounts;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use super::sqlite::{FILE, Sqlite};
use super::{
    Actor, AuditContext, AuditEntry, AuditFilter, Namespace, NewRepository, NewToken, NewUser,
    OrganizationRole, Principal, Registry, Repository, RepositoryType, Scope, TokenRole,
};
use crate::error::HubError;
use crate::secret::{self, Secret};

/// Generates a test for each function of the contract, given a way to open a registry in a folder.
macro_rules! run_all {
    ($database:ident, $open:expr, [$($noun:ident :: $test:ident),+ $(,)?]) => {
        mod $database {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let fixture = super::Fixture::new(|folder| {
                        let folder = folder.to_owned();
                        Box::pin(async move { $open(&folder).await.unwrap() })
                    });
                    super::$noun::$test(&fixture).await;
                }
            )+
        }
    };
}

run_all!(
    sqlite,
    super::open_sqlite,
    [
        entities::names_are_shared_and_case_makes_no_difference,
        entities::members_come_and_go,
        entities::a_token_lives_and_dies,
        entities::names_of_tokens_may_repeat,
        entities::a_token_ends_on_time,
        entities::a_value_that_is_known_ends_a_token,
        entities::repositories_and_their_gates,
        entities::everything_is_there_when_it_is_opened_again,
        approvals::a_policy_keeps_tokens_out,
        approvals::a_token_asks_by_its_scopes,
        approvals::a_token_asks_by_being_used,
        approvals::other_permissions_are_asked_for_again,
        approvals::who_leaves_and_comes_back_asks_again,
        approvals::every_token_has_a_standing,
        decisions::what_is_decided_stays_with_the_token,
        decisions::only_administrators_decide,
        decisions::nobody_revokes_their_own,
        decisions::what_was_let_in_is_not_denied,
        decisions::a_token_is_named_by_id_name_or_value,
        audit::every_deed_is_entered_once,
        audit::what_does_not_happen_is_not_entered,
        audit::entries_are_found_and_turned_page_by_page,
        audit::entries_are_kept_as_long_as_they_must,
        audit::a_name_that_is_nobodys_is_not_kept,
        service_accounts::an_account_and_its_tokens_live_and_die,
        service_accounts::only_administrators_change_accounts,
        service_accounts::grants_are_on_the_organization_and_on_repositories,
        publishers::publishers_are_added_listed_and_deleted,
        publishers::an_id_token_is_used_once,
        publishers::tokens_end_with_their_publisher,
        publishers::an_organization_governs_tokens_of_publishers,
        sessions::a_new_password_ends_the_sessions_of_its_user,
        sessions::the_first_administrators_password_ends_sessions_too,
        caching::what_is_remembered_is_what_the_database_says,
        caching::a_dead_value_is_dead_for_everybody_at_once,
        caching::writers_do_not_lose_each_others_work,
    ]
);

async fn open_sqlite(folder: &std::path::Path) -> Result<Arc<dyn Registry>, HubError> {
    Ok(Arc::new(Sqlite::open(&folder.join(FILE)).await?))
}

type Opening =
    std::pin::Pin<Box<dyn std::future::Future<Output = Arc<dyn Registry>> + Send + 'static>>;

/// A folder in which a registry can be opened.
pub(super) struct Fixture {
    folder: TempDir,
    open: Box<dyn Fn(&std::path::Path) -> Opening + Send + Sync>,
    now: AtomicI64,
}

const START: i64 = 1_767_323_045;

impl Fixture {
    fn new(open: impl Fn(&std::path::Path) -> Opening + Send + Sync + 'static) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            open: Box::new(open),
            now: AtomicI64::new(START),
        }
    }

    /// Opens the registry with empty caches.
    async fn open(&self) -> Arc<dyn Registry> {
        (self.open)(self.folder.path()).await
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.now.load(Ordering::SeqCst)).unwrap()
    }

    fn pass(&self, duration: Duration) {
        self.now
            .fetch_add(duration.whole_seconds(), Ordering::SeqCst);
    }

    /// The origin of a change made by the embedding program.
    fn embedder_context(&self) -> AuditContext {
        AuditContext {
            actor: Actor::Program,
            address: None,
            at: self.now(),
        }
    }

    /// The origin of a change made by a user who is signed in to the pages.
    async fn by(&self, registry: &Arc<dyn Registry>, name: &str) -> AuditContext {
        let user = registry.user(name).await.unwrap();
        AuditContext {
            actor: Actor::User {
                id: user.id,
                name: user.name,
                token: None,
            },
            address: Some([127, 0, 0, 1].into()),
            at: self.now(),
        }
    }

    /// A registry with the private model `acme/m` and three users: `alice` administers `acme`,
    /// `bob` has write access there, and `carol` belongs to no organization.
    async fn populated(&self) -> Arc<dyn Registry> {
        let registry = self.open().await;
        let context = self.embedder_context();
        for name in ["alice", "bob", "carol"] {
            registry.create_user(user(name), &context).await.unwrap();
        }
        registry
            .create_organization("acme", "Acme Inc", &context)
            .await
            .unwrap();
        for (name, role) in [
            ("alice", OrganizationRole::Admin),
            ("bob", OrganizationRole::Write),
        ] {
            registry
                .set_member("acme", name, role, &context)
                .await
                .unwrap();
        }
        model(&registry, "acme", "m", &context).await;
        registry
    }

    /// Authenticates a token, and checks that the open registry and a freshly opened one agree.
    async fn identify(
        &self,
        registry: &Arc<dyn Registry>,
        value: &Secret,
    ) -> Option<Arc<Principal>> {
        let digest = value.digest();
        let warm = registry.authenticate(&digest, self.now()).await.unwrap();
        let again = registry.authenticate(&digest, self.now()).await.unwrap();
        let fresh = self.open().await;
        let cold = fresh.authenticate(&digest, self.now()).await.unwrap();
        fresh.close().await;
        let shown = |principal: &Option<Arc<Principal>>| {
            // The time of last use is written asynchronously, and no decision depends on it.
            format!("{principal:?}").replace("last_used_at: None", "")
        };
        assert_eq!(shown(&warm), shown(&again));
        assert_eq!(shown(&warm), shown(&cold));
        warm
    }
}

fn user(name: &str) -> NewUser {
    NewUser {
        name: name.to_owned(),
        fullname: name.to_owned(),
        email: None,
        password_hash: None,
    }
}

fn token(name: &str, role: TokenRole) -> NewToken {
    NewToken {
        name: name.to_owned(),
        role,
        expires_at: None,
    }
}

/// A fine-grained role with `repo.write` on some entities.
fn fine(entities: &[&str]) -> TokenRole {
    TokenRole::FineGrained {
        scopes: entities
            .iter()
            .map(|entity| Scope {
                entity: (*entity).to_owned(),
                permissions: vec!["repo.write".to_owned()],
            })
            .collect(),
        global: Vec::new(),
        can_read_gated_repos: false,
    }
}

async fn model(
    registry: &Arc<dyn Registry>,
    owner: &str,
    name: &str,
    context: &AuditContext,
) -> Repository {
    let namespace: Namespace = registry.namespace(owner).await.unwrap();
    let new = NewRepository {
        id: &secret::object_id().unwrap(),
        kind: RepositoryType::Model,
        namespace: &namespace,
        name,
        creator_id: &namespace.id,
        private: true,
        gated: None,
    };
    registry.create_repository(new, context).await.unwrap()
}

/// All log entries, oldest first.
async fn log(registry: &Arc<dyn Registry>) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let filter = AuditFilter {
            before,
            ..AuditFilter::default()
        };
        let page = registry.audit(&filter).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        before = Some(last.id);
        entries.extend(page);
    }
    entries.reverse();
    entries
}

/// The names of all logged actions.
async fn actions(registry: &Arc<dyn Registry>) -> Vec<&'static str> {
    log(registry)
        .await
        .iter()
        .map(|entry| entry.act.as_str())
        .collect()
}

#[test]
fn nothing_outside_its_folder_knows_the_database() {
    fn visit(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("registry/sqlite") || path.ends_with("registry/contract") {
                continue;
            }
            if path.is_dir() {
                visit(&path, found);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("sqlx")) {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    visit(&source, &mut found);
    assert_eq!(found, Vec::<String>::new());
}
