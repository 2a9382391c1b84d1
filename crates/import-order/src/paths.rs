//! Extracts the paths in a file that may lead to another file of the package.

/// The segments of each path: those of `use` lines with their braces expanded, and those anywhere
/// else that begin with `crate` or `super`.
pub(crate) fn of(text: &str) -> Vec<Vec<String>> {
    let code = without_tests(&without_comments(text));
    let mut paths = Vec::new();
    for statement in code.split(';') {
        if let Some(tree) = use_tree(statement) {
            expand("", tree, &mut paths);
        }
    }
    inline(&code, &mut paths);
    paths
        .iter()
        .map(|path| names(path))
        .filter(|names| !names.is_empty())
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Tests are at the end of a file.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {");
    text[..end.unwrap_or(text.len())].to_owned()
}

/// The import in a statement, if it is one. Its last line may follow an attribute or a block.
fn use_tree(statement: &str) -> Option<&str> {
    let starts = statement.match_indices("use ").map(|(start, _)| start);
    let start = starts
        .filter(|start| {
            let line = statement[..*start].rsplit('\n').next().unwrap_or_default();
            let line = line.trim();
            line.is_empty() || line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
        })
        .last()?;
    Some(&statement[start + "use ".len()..])
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        paths.push(format!("{prefix}{path}"));
        return;
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let prefix = format!("{prefix}{}", before.trim());
    let mut depth = 0_usize;
    let mut start = 0;
    for (position, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..position], paths);
                start = position + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        expand(&prefix, &inner[start..], paths);
    }
}

fn inline(code: &str, paths: &mut Vec<String>) {
    for beginning in ["crate::", "super::"] {
        for (start, _) in code.match_indices(beginning) {
            let is_whole = !code[..start].ends_with(|before: char| is_of_name(before));
            if is_whole {
                let end = code[start..]
                    .find(|character: char| !is_of_name(character) && character != ':')
                    .map_or(code.len(), |length| start + length);
                paths.push(code[start..end].to_owned());
            }
        }
    }
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn names(path: &str) -> Vec<String> {
    path.split("::")
        .map(str::trim)
        .take_while(|name| !name.is_empty() && name.chars().all(is_of_name))
        .map(str::to_owned)
        .collect()
}
