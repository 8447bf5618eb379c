//! Text to tokens.

use std::ops::Range;

use super::error::CutError;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name, as written.
    Name(String),
    Int(u64),
    Float(f64),
    Text(String),
    /// An operator or a parenthesis.
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) at: Range<usize>,
}

/// Longest first where one begins another.
const SIGNS: [&str; 17] =
    ["<=", ">=", "==", "!=", "&&", "||", "<", ">", "&", "|", "!", "(", ")", "+", "-", "*", "/"];

pub(crate) fn tokens(text: &str) -> Result<Vec<Spanned>, CutError> {
    let mut out = Vec::new();
    let mut pos = 0;
    while let Some(c) = text[pos..].chars().next() {
        let rest = &text[pos..];
        if c.is_whitespace() {
            pos += c.len_utf8();
            continue;
        }
        let (token, len) = if c.is_ascii_digit() || (c == '.' && digit(rest, 1)) {
            number(text, pos)?
        } else if c.is_ascii_alphabetic() || c == '_' {
            let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (Token::Name(rest[..len].to_owned()), len)
        } else if c == '\'' || c == '"' {
            literal(text, pos, c)?
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            (Token::Sign(sign), sign.len())
        } else {
            let what = match c {
                '=' => "`=` is no comparison: write `==`".to_owned(),
                '~' => "`~` is not known here: write `not`".to_owned(),
                c => format!("unexpected character {c:?}"),
            };
            return Err(syntax(text, pos..pos + c.len_utf8(), what));
        };
        out.push(Spanned { token, at: pos..pos + len });
        pos += len;
    }
    out.push(Spanned { token: Token::End, at: text.len()..text.len() });
    Ok(out)
}

pub(crate) fn syntax(expression: &str, at: Range<usize>, what: impl Into<String>) -> CutError {
    CutError::Syntax { what: what.into(), expression: expression.to_owned(), at }
}

fn digit(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

fn number(text: &str, pos: usize) -> Result<(Token, usize), CutError> {
    let rest = &text[pos..];
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let len = 2 + run(&rest[2..], |c| c.is_ascii_alphanumeric() || c == '_');
        return match u64::from_str_radix(&rest[2..len], 16) {
            Ok(v) => Ok((Token::Int(v), len)),
            Err(_) => Err(syntax(text, pos..pos + len, "not a hexadecimal number of at most 64 bits")),
        };
    }
    let mut len = run(rest, |c| c.is_ascii_digit());
    let mut whole = true;
    if rest[len..].starts_with('.') {
        whole = false;
        len += 1;
        len += run(&rest[len..], |c| c.is_ascii_digit());
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        if digit(rest, len + 1 + sign) {
            whole = false;
            len += 1 + sign;
            len += run(&rest[len..], |c| c.is_ascii_digit());
        }
    }
    let stuck = run(&rest[len..], |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if stuck > 0 {
        return Err(syntax(
            text,
            pos..pos + len + stuck,
            "not a number, and a name cannot start with a digit",
        ));
    }
    let digits = &rest[..len];
    if whole && let Ok(v) = digits.parse::<u64>() {
        return Ok((Token::Int(v), len));
    }
    match digits.parse::<f64>() {
        Ok(v) if v.is_finite() => Ok((Token::Float(v), len)),
        _ => Err(syntax(text, pos..pos + len, "the number is too large")),
    }
}

fn run(text: &str, keep: impl Fn(char) -> bool) -> usize {
    text.find(|c| !keep(c)).unwrap_or(text.len())
}

/// A quoted text; the quote inside is written twice.
fn literal(text: &str, pos: usize, quote: char) -> Result<(Token, usize), CutError> {
    let mut value = String::new();
    let mut chars = text[pos + 1..].char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            value.push(c);
        } else {
            return Ok((Token::Text(value), i + 2));
        }
    }
    Err(syntax(text, pos..text.len(), format!("the text is not closed by {quote}")))
}
