//! The twin: the same rules, by lines and copies, with the tree of the whole message in memory.

use std::borrow::Cow;

use llm_vcr::error::ErrorKind;
use llm_vcr::multipart::{ContentType, MAX_NESTING};
use regex::bytes::Regex;

enum Node {
    Text(Vec<u8>),
    Boundary(usize),
    Nested { headers: Vec<Header>, number: usize, payload: Vec<Node>, length_is_right: bool },
}

/// A header line in three texts: up to the value, the value, what follows it.
struct Header {
    name: Vec<u8>,
    before: Vec<u8>,
    value: Vec<u8>,
    after: Vec<u8>,
}

pub fn rewrite(body: &[u8], content_type: &str) -> Result<(Vec<u8>, String), ErrorKind> {
    if !content_type.trim_ascii_start().to_lowercase().starts_with("multipart/") {
        return Ok((body.to_vec(), content_type.to_owned()));
    }
    let header = ContentType::parse(content_type).map_err(|e| e.kind)?;
    let boundary = header.boundary().map_err(|e| e.kind)?;
    let mut numbers = 0;
    let (nodes, epilogue) = multipart(body, &boundary, &mut numbers, 1)?;
    let series = free_series(&nodes);
    let mut out = render(&nodes, Some(series));
    out.extend_from_slice(&epilogue);
    Ok((out, header.with_boundary(&name(series, 0)).into_owned()))
}

fn name(series: usize, number: usize) -> String {
    let series = if series == 0 { String::new() } else { format!("x{series}-") };
    let number = if number == 0 { String::new() } else { format!("{number}-") };
    format!("llm-vcr-{series}{number}boundary")
}

fn free_series(nodes: &[Node]) -> usize {
    let text = render(nodes, None);
    let ours = Regex::new(r"^--llm-vcr-(?:x([0-9]{1,9})-)?(?:[0-9]{1,9}-)?boundary").unwrap();
    let taken: Vec<usize> = text
        .split(|&b| b == b'\n')
        .filter_map(|line| ours.captures(line))
        .map(|found| found.get(1).map_or(0, |n| std::str::from_utf8(n.as_bytes()).unwrap().parse().unwrap()))
        .collect();
    (0..=taken.len()).find(|series| !taken.contains(series)).unwrap()
}

/// Without a series: the text that is not ours to write, a NUL for each boundary.
fn render(nodes: &[Node], series: Option<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    for node in nodes {
        match node {
            Node::Text(text) => out.extend_from_slice(text),
            Node::Boundary(number) => out.extend(series.map_or(vec![0], |s| name(s, *number).into_bytes())),
            Node::Nested { headers, number, payload, length_is_right } => {
                let payload = render(payload, series);
                let (mut types, mut lengths) = (0, 0);
                for header in headers {
                    let mut value = Cow::Borrowed(&header.value[..]);
                    if header.name == b"content-type" {
                        types += 1;
                        if let (1, Some(series)) = (types, series) {
                            let text = std::str::from_utf8(&header.value).unwrap();
                            let text =
                                ContentType::parse(text).unwrap().with_boundary(&name(series, *number)).into_owned();
                            value = text.into_bytes().into();
                        }
                    } else if header.name == b"content-length" {
                        lengths += 1;
                        let old: Option<usize> = std::str::from_utf8(&value).ok().and_then(|v| v.parse().ok());
                        if *length_is_right && lengths == 1 && series.is_some() && old != Some(payload.len()) {
                            value = payload.len().to_string().into_bytes().into();
                        }
                    }
                    out.extend_from_slice(&header.before);
                    out.extend_from_slice(&value);
                    out.extend_from_slice(&header.after);
                }
                out.extend(payload);
            }
        }
    }
    out
}

/// Whether `line` is a delimiter line, and a closing one.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let content = line.strip_suffix(b"\n").map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
    let mut content = content.to_vec();
    while content.len() > boundary.len() + 2 && matches!(content.last(), Some(b' ' | b'\t')) {
        content.pop();
    }
    match content.strip_prefix(b"--")?.strip_prefix(boundary)? {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

fn multipart(
    body: &[u8],
    boundary: &[u8],
    numbers: &mut usize,
    depth: usize,
) -> Result<(Vec<Node>, Vec<u8>), ErrorKind> {
    let lines: Vec<&[u8]> = body.split_inclusive(|&b| b == b'\n').collect();
    let mut sections: Vec<Vec<u8>> = vec![Vec::new()];
    let mut delimiters: Vec<&[u8]> = Vec::new();
    let (mut crlf, mut closed) = (false, false);
    for (index, line) in lines.iter().enumerate() {
        let at_line_start = !crlf || index == 0 || lines[index - 1].ends_with(b"\r\n");
        match delimiter(line, boundary).filter(|_| at_line_start && !closed) {
            Some(closing) => {
                if delimiters.is_empty() {
                    crlf = line.ends_with(b"\r\n");
                }
                delimiters.push(line);
                sections.push(Vec::new());
                closed = closing;
            }
            None => sections.last_mut().unwrap().extend_from_slice(line),
        }
    }
    if delimiters.is_empty() {
        return Err(ErrorKind::NoDelimiter);
    }
    if !closed {
        return Err(ErrorKind::NotClosed);
    }
    let number = *numbers;
    *numbers += 1;
    let epilogue = sections.pop().unwrap();
    let mut sections = sections.into_iter();
    let mut nodes = vec![Node::Text(sections.next().unwrap())];
    for (index, line) in delimiters.iter().enumerate() {
        nodes.push(Node::Text(b"--".to_vec()));
        nodes.push(Node::Boundary(number));
        nodes.push(Node::Text(line[2 + boundary.len()..].to_vec()));
        if index + 1 == delimiters.len() {
            break;
        }
        let section = sections.next().unwrap();
        let line_break: &[u8] = match (crlf, section.ends_with(b"\r\n"), section.ends_with(b"\n")) {
            (true, true, _) => b"\r\n",
            (_, _, true) => b"\n",
            _ => b"",
        };
        part(&section[..section.len() - line_break.len()], numbers, depth, &mut nodes);
        nodes.push(Node::Text(line_break.to_vec()));
    }
    if depth == 1 {
        return Ok((nodes, epilogue));
    }
    nodes.push(Node::Text(epilogue));
    Ok((nodes, Vec::new()))
}

fn part(section: &[u8], numbers: &mut usize, depth: usize, nodes: &mut Vec<Node>) {
    let mut headers: Vec<Header> = Vec::new();
    let lines: Vec<&[u8]> = section.split_inclusive(|&b| b == b'\n').collect();
    let mut index = 0;
    let mut used = 0;
    let field = Regex::new(r"(?-u)^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):").unwrap();
    while let Some(line) = lines.get(index) {
        let mut line = line.to_vec();
        index += 1;
        if line == b"\r\n" || line == b"\n" {
            used += line.len();
            headers.push(Header { name: vec![], before: line, value: vec![], after: vec![] });
            break;
        }
        while let Some(folded) = lines.get(index).filter(|l| l.starts_with(b" ") || l.starts_with(b"\t")) {
            line.extend_from_slice(folded);
            index += 1;
        }
        let Some(found) = field.captures(&line) else { break };
        let blank = |b: &u8| b" \t\r\n".contains(b);
        let start = found[0].len() + line[found[0].len()..].iter().take_while(|b| blank(b)).count();
        let end = (line.len() - line.iter().rev().take_while(|b| blank(b)).count()).max(start);
        used += line.len();
        headers.push(Header {
            name: found[1].to_ascii_lowercase(),
            before: line[..start].to_vec(),
            value: line[start..end].to_vec(),
            after: line[end..].to_vec(),
        });
    }
    let payload = &section[used..];
    let first = |name: &[u8]| headers.iter().find(|h| h.name == name).and_then(|h| std::str::from_utf8(&h.value).ok());
    let boundary = first(b"content-type")
        .filter(|value| value.to_ascii_lowercase().starts_with("multipart/"))
        .and_then(|value| ContentType::parse(value).ok()?.boundary().ok().map(Cow::into_owned));
    let length_is_right = first(b"content-length").and_then(|v| v.parse().ok()) == Some(payload.len());
    let number = *numbers;
    if let Some(boundary) = boundary.filter(|_| depth < MAX_NESTING)
        && let Ok((payload, _)) = multipart(payload, &boundary, numbers, depth + 1)
    {
        nodes.push(Node::Nested { headers, number, payload, length_is_right });
    } else {
        nodes.push(Node::Text(section.to_vec()));
    }
}
