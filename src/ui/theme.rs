//! Themes: what each named role looks like.
//!
//! A theme is made from pairs of role and look, wherever they were read; this module knows no file format.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

/// The themes that come with the program, as the text of their files; the first is the default.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("dusk", include_str!("../../themes/dusk.yaml")),
    ("dawn", include_str!("../../themes/dawn.yaml")),
    ("plain16", include_str!("../../themes/plain16.yaml")),
    ("console", include_str!("../../themes/console.yaml")),
    ("mono", include_str!("../../themes/mono.yaml")),
];

/// What a piece of the screen is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Text,
    /// Old, settled or secondary.
    Quiet,
    Border,
    Header,
    Good,
    Attention,
    Danger,
    /// Keys, names of columns, what can be chosen.
    Accent,
}

impl Role {
    /// All roles, in the order of a theme's table.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Quiet,
        Self::Border,
        Self::Header,
        Self::Good,
        Self::Attention,
        Self::Danger,
        Self::Accent,
    ];

    /// Returns the entry of a theme's file that tells its look.
    fn entry(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Quiet => "quiet",
            Self::Border => "border",
            Self::Header => "header",
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Danger => "danger",
            Self::Accent => "accent",
        }
    }
}

/// What a piece of the screen lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    Screen,
    Header,
    Selection,
    Overlay,
}

impl Ground {
    /// All grounds.
    pub const ALL: [Self; 4] = [Self::Screen, Self::Header, Self::Selection, Self::Overlay];

    /// Returns the entry of a theme's file that tells its look; two grounds share theirs with a role.
    fn entry(self) -> &'static str {
        match self {
            Self::Screen => Role::Text.entry(),
            Self::Header => Role::Header.entry(),
            Self::Selection => "selection",
            Self::Overlay => "overlay",
        }
    }
}

/// Returns the entries of a theme's file, each once, in the order of its table.
fn entries() -> Vec<&'static str> {
    let mut all: Vec<&str> = Role::ALL.map(Role::entry).to_vec();
    let grounds = Ground::ALL.map(Ground::entry);
    all.extend(
        grounds
            .iter()
            .filter(|entry| !Role::ALL.map(Role::entry).contains(entry)),
    );
    all
}

/// How much colour a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    True,
    Indexed,
    Sixteen,
}

/// A loaded theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    roles: [Look; Role::ALL.len()],
    grounds: [Look; Ground::ALL.len()],
}

/// Why a theme cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTheme {
    #[error("theme {theme}: there is no role {role:?}; expected {}", entries().join(", "))]
    UnknownRole { theme: String, role: String },
    #[error("theme {theme}: the role {role} is missing")]
    MissingRole { theme: String, role: &'static str },
    #[error(
        "theme {theme}: {role}: {word:?} is no colour or mark; expected \"#rrggbb\", a name like red, light-red or default, \
         `on` before the background, or bold, dim, italic, underline, reverse"
    )]
    BadWord {
        theme: String,
        role: String,
        word: String,
    },
    #[error("theme {theme}: {role} needs both colours, as in \"gray on black\"")]
    NeedsBoth { theme: String, role: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    fg: Option<Color>,
    bg: Option<Color>,
    marks: Modifier,
}

impl Theme {
    /// Makes a theme from the looks of its roles.
    ///
    /// # Errors
    /// Names the role and the word that are wrong, and what would be right.
    pub fn new(name: &str, roles: &BTreeMap<String, String>) -> Result<Self, BadTheme> {
        let theme = || name.to_owned();
        if let Some(role) = roles
            .keys()
            .find(|role| !entries().contains(&role.as_str()))
        {
            return Err(BadTheme::UnknownRole {
                theme: theme(),
                role: role.clone(),
            });
        }
        let look = |role: &'static str| {
            let text = roles.get(role).ok_or_else(|| BadTheme::MissingRole {
                theme: theme(),
                role,
            })?;
            Look::parse(text).map_err(|word| BadTheme::BadWord {
                theme: theme(),
                role: role.to_owned(),
                word,
            })
        };
        let mut own = Self {
            name: theme(),
            roles: [Look::default(); Role::ALL.len()],
            grounds: [Look::default(); Ground::ALL.len()],
        };
        for role in Role::ALL {
            own.roles[role as usize] = look(role.entry())?;
        }
        for ground in Ground::ALL {
            own.grounds[ground as usize] = look(ground.entry())?;
        }
        for ground in [Ground::Screen, Ground::Header] {
            let below = own.grounds[ground as usize];
            if below.fg.is_none() || below.bg.is_none() {
                return Err(BadTheme::NeedsBoth {
                    theme: theme(),
                    role: ground.entry(),
                });
            }
        }
        Ok(own)
    }

    /// Returns the theme with its colours brought down to what the terminal has.
    #[must_use]
    pub fn reduced(mut self, depth: Depth) -> Self {
        for look in self.roles.iter_mut().chain(&mut self.grounds) {
            look.fg = look.fg.map(|color| reduce(color, depth));
            look.bg = look.bg.map(|color| reduce(color, depth));
        }
        self
    }

    /// Returns the style of a role on a ground, with both colours set.
    pub fn style(&self, role: Role, ground: Ground) -> Style {
        let base = self.grounds[Ground::Screen as usize];
        let below = self.grounds[ground as usize];
        let own = self.roles[role as usize];
        // A selection with a colour of its own is made for that colour alone; so is the header's plain text.
        let forced = matches!(ground, Ground::Selection).then_some(below.fg);
        let plain = matches!(role, Role::Text) && ground == Ground::Header;
        let fg = forced
            .flatten()
            .or(if plain { below.fg } else { own.fg })
            .or(base.fg)
            .unwrap_or(Color::Reset);
        let bg = below.bg.or(base.bg).unwrap_or(Color::Reset);
        let below_marks = match ground {
            Ground::Selection => below.marks,
            Ground::Header if plain => below.marks,
            Ground::Screen | Ground::Header | Ground::Overlay => Modifier::empty(),
        };
        Style {
            add_modifier: own.marks | below_marks,
            ..Style::new().fg(fg).bg(bg)
        }
    }
}

impl Look {
    fn parse(text: &str) -> Result<Self, String> {
        let mut look = Self::default();
        let mut background = false;
        for word in text.split_whitespace() {
            let mark = match word {
                "on" => {
                    background = true;
                    continue;
                }
                "bold" => Some(Modifier::BOLD),
                "dim" => Some(Modifier::DIM),
                "italic" => Some(Modifier::ITALIC),
                "underline" => Some(Modifier::UNDERLINED),
                "reverse" => Some(Modifier::REVERSED),
                _ => None,
            };
            if let Some(mark) = mark {
                look.marks |= mark;
                continue;
            }
            let color = color(word).ok_or_else(|| word.to_owned())?;
            let place = if background {
                &mut look.bg
            } else {
                &mut look.fg
            };
            if place.replace(color).is_some() {
                return Err(word.to_owned());
            }
        }
        Ok(look)
    }
}

/// Says which theme fits the terminal when none was asked for, and how much colour there is.
pub fn choose<'a>(
    asked: Option<&'a str>,
    configured: &'a str,
    no_color: bool,
    term: Option<&str>,
    color_term: Option<&str>,
) -> (&'a str, Depth) {
    let term = term.unwrap_or_default();
    let depth = match color_term {
        Some("truecolor" | "24bit") => Depth::True,
        _ if term.contains("direct") || term.contains("kitty") => Depth::True,
        _ if term.contains("256color") => Depth::Indexed,
        _ => Depth::Sixteen,
    };
    let name = match asked {
        Some(name) => name,
        None if no_color || term == "dumb" => "mono",
        None if term == "linux" => "console",
        // A dark or light theme of many colours says nothing about a terminal with sixteen of its own.
        None if depth == Depth::Sixteen && matches!(configured, "dusk" | "dawn") => "plain16",
        None => configured,
    };
    (name, depth)
}

fn color(word: &str) -> Option<Color> {
    if let Some(hex) = word.strip_prefix('#') {
        let number = u32::from_str_radix(hex, 16).ok()?;
        let [_, r, g, b] = number.to_be_bytes();
        return (hex.len() == 6 && !hex.starts_with('+')).then_some(Color::Rgb(r, g, b));
    }
    Some(match word {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "gray" => Color::Gray,
        "dark-gray" => Color::DarkGray,
        "light-red" => Color::LightRed,
        "light-green" => Color::LightGreen,
        "light-yellow" => Color::LightYellow,
        "light-blue" => Color::LightBlue,
        "light-magenta" => Color::LightMagenta,
        "light-cyan" => Color::LightCyan,
        "white" => Color::White,
        _ => return None,
    })
}

fn reduce(color: Color, depth: Depth) -> Color {
    let Color::Rgb(r, g, b) = color else {
        return color;
    };
    match depth {
        Depth::True => color,
        Depth::Indexed => Color::Indexed(nearest_of_256(r, g, b)),
        Depth::Sixteen => nearest_of_16(r, g, b),
    }
}

/// Finds the nearest of the cube of 216 colours and the 24 grays that every 256-colour terminal has.
fn nearest_of_256(r: u8, g: u8, b: u8) -> u8 {
    let level = |index: u8| if index == 0 { 0 } else { 55 + 40 * index };
    let cube = (16..232u8).map(|index| {
        let place = index - 16;
        let of = (level(place / 36), level(place / 6 % 6), level(place % 6));
        (index, of)
    });
    let grays = (232..=255u8).map(|index| {
        let gray = 8 + 10 * (index - 232);
        (index, (gray, gray, gray))
    });
    cube.chain(grays)
        .min_by_key(|(_, of)| distance((r, g, b), *of))
        .map_or(7, |(index, _)| index)
}

fn nearest_of_16(r: u8, g: u8, b: u8) -> Color {
    const COLORS: [(Color, (u8, u8, u8)); 16] = [
        (Color::Black, (0, 0, 0)),
        (Color::Red, (170, 0, 0)),
        (Color::Green, (0, 170, 0)),
        (Color::Yellow, (170, 120, 0)),
        (Color::Blue, (0, 0, 170)),
        (Color::Magenta, (170, 0, 170)),
        (Color::Cyan, (0, 170, 170)),
        (Color::Gray, (190, 190, 190)),
        (Color::DarkGray, (100, 100, 100)),
        (Color::LightRed, (255, 110, 110)),
        (Color::LightGreen, (110, 255, 110)),
        (Color::LightYellow, (255, 255, 110)),
        (Color::LightBlue, (110, 110, 255)),
        (Color::LightMagenta, (255, 110, 255)),
        (Color::LightCyan, (110, 255, 255)),
        (Color::White, (255, 255, 255)),
    ];
    COLORS
        .iter()
        .min_by_key(|(_, of)| distance((r, g, b), *of))
        .map_or(Color::Gray, |(color, _)| *color)
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    // Green weighs most to the eye, blue least.
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}
