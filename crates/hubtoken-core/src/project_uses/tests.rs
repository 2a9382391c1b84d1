#![allow(clippy::unwrap_used)]
use std::fs;

use super::*;
use crate::env::StaticEnvironment;

fn credential(value: &str) -> Credential {
    Credential {
        token: crate::token::Token::parse(value).unwrap().unwrap(),
        source: crate::source::Source::Argument,
        endpoint: Endpoint::default_hub(),
        expires_at: crate::expiry::Expiry::UNKNOWN,
        renewal: None,
    }
}

fn requirement(role: &str, repo: Option<&str>) -> Requirement {
    Requirement {
        required: Required::Role(Role::parse(role).unwrap()),
        repository: repo.map(|repo| (repo.to_owned(), RepositoryType::Dataset)),
        namespace: None,
        must_exist: false,
        needed_until: None,
    }
}

fn value(number: usize) -> String {
    format!("hf_{number:034}")
}

fn uses(home: &Path) -> ProjectUses {
    let environment = StaticEnvironment::from([("HF_HOME", home.to_str().unwrap())]);
    ProjectUses::of(&Settings::read(&environment)).unwrap()
}

#[test]
fn what_is_recorded_is_read_again_without_the_token() {
    let home = tempfile::tempdir().unwrap();
    let uses = uses(home.path());
    let (one, other) = (credential(&value(1)), credential(&value(2)));
    let permission = Requirement {
        required: Required::permission_named("inference.serverless.write").unwrap(),
        namespace: Some("acme".to_owned()),
        ..requirement("read", None)
    };
    uses.record(Path::new("/b"), &one, &requirement("write", Some("acme/x")));
    uses.record(Path::new("/b"), &one, &requirement("write", Some("acme/x")));
    uses.record(Path::new("/a"), &one, &permission);
    uses.record(Path::new("/a"), &other, &requirement("read", None));
    let found = uses.read();
    let shown: Vec<String> = found
        .iter()
        .map(|each| {
            let requirement = &each.requirement;
            let repository = requirement
                .repository
                .as_ref()
                .map(|(name, kind)| format!("{}{name}", kind.prefix()));
            format!(
                "{} {} {repository:?} {:?} {}",
                each.project.display(),
                requirement.required.name(),
                requirement.namespace,
                each.is_of(&one)
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "/a inference.serverless.write None Some(\"acme\") true",
            "/a read None None false",
            "/b write Some(\"datasets/acme/x\") None true",
        ]
    );
    for file in fs::read_dir(home.path().join("hubtoken/uses")).unwrap() {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        for value in [value(1), value(2)] {
            assert!(!text.contains(&value[3..]) && !name.contains(&value[3..]));
        }
    }
}

#[test]
fn the_folder_is_bounded_and_what_is_old_or_broken_does_not_count() {
    let home = tempfile::tempdir().unwrap();
    let uses = uses(home.path());
    for number in 0..600 {
        let project = PathBuf::from(format!("/p{number}"));
        uses.record(&project, &credential(&value(1)), &requirement("read", None));
    }
    let found = uses.read().len();
    assert!((384..=512).contains(&found), "{found}");
    let folder = home.path().join("hubtoken/uses");
    let long_ago = SystemTime::now() - FORGOTTEN_AFTER - RENEWED_AFTER;
    for (index, file) in fs::read_dir(&folder).unwrap().enumerate() {
        let path = file.unwrap().path();
        match index {
            0 => fs::write(path, "{").unwrap(),
            1 => fs::write(path, vec![b' '; 20_000]).unwrap(),
            _ => {
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(long_ago).unwrap();
            }
        }
    }
    assert_eq!(uses.read().len(), 0);
    let project = Path::new("/p599");
    uses.record(project, &credential(&value(1)), &requirement("read", None));
    assert_eq!(uses.read().len(), 1);
}

#[test]
fn nothing_is_recorded_without_a_place_or_when_caches_are_off() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let off = StaticEnvironment::from([("HF_HOME", folder), ("HUBTOKEN_DISABLE_CACHE", "1")]);
    assert!(ProjectUses::of(&Settings::read(&off)).is_none());
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let uses = uses(&file);
    uses.record(
        Path::new("/p"),
        &credential(&value(1)),
        &requirement("read", None),
    );
    assert_eq!(uses.read().len(), 0);
}

#[test]
fn a_project_is_the_nearest_folder_with_a_projects_file() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let inner = root.join("home/code/model/src");
    fs::create_dir_all(&inner).unwrap();
    let home = root.join("home");
    assert_eq!(project_of(&inner, Some(&home)), inner);
    // A home folder under version control makes no project of all that is in it.
    fs::create_dir(home.join(".git")).unwrap();
    assert_eq!(project_of(&inner, Some(&home)), inner);
    assert_eq!(project_of(&home, Some(&home)), home);
    fs::write(root.join("home/code/pyproject.toml"), "").unwrap();
    assert_eq!(project_of(&inner, Some(&home)), root.join("home/code"));
    fs::create_dir(root.join("home/code/model/.git")).unwrap();
    assert_eq!(project_of(&inner, None), root.join("home/code/model"));
}
