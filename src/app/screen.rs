//! What the operator looks at: selection, grouping, filter, open overlay.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::core::builds::Lineage;
use crate::core::digest::{ImageId, TopDigest};
use crate::core::image::ImageRef;
use crate::core::names::{HostName, ProjectName, RegistryHost, ServiceKey};

use super::builds::BuildKey;
use super::jobs::Dialog;
use super::offers::TickList;

/// The state of the screen; nothing of it is kept in the views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub width: u16,
    pub height: u16,
    pub group: Group,
    pub sort: Sort,
    pub filter: String,
    /// What is selected, by identity, so that it stays selected wherever its row goes.
    pub selected: Option<RowId>,
    /// Where the selection was last, for when what was selected is gone.
    pub selected_index: usize,
    pub folded: BTreeSet<RowId>,
    /// Services that the next action is about, together.
    pub marked: BTreeSet<ServiceKey>,
    /// How far the detail is scrolled, while the keys that move belong to it.
    pub in_detail: Option<usize>,
    /// Whether the detail is open below the list, where there is no room beside it.
    pub detail: bool,
    pub view: View,
    pub overlay: Overlay,
    /// How far the open page can be scrolled, as its last drawing told.
    pub scroll_end: Option<usize>,
    pub notice: Option<Notice>,
    /// Whether the console returns to the wall by itself.
    pub home: bool,
    /// When the last key was pressed.
    pub key_at: Duration,
    /// When the wall's page was last turned.
    pub turned_at: Duration,
    /// How many pages the wall had when it was last drawn; counting them takes as long as drawing.
    pub pages: usize,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            width: 80,
            height: 24,
            group: Group::Host,
            sort: Sort::Name,
            filter: String::new(),
            selected: None,
            selected_index: 0,
            folded: BTreeSet::new(),
            marked: BTreeSet::new(),
            in_detail: None,
            detail: false,
            view: View::Fleet,
            overlay: Overlay::None,
            scroll_end: None,
            notice: None,
            home: false,
            key_at: Duration::ZERO,
            turned_at: Duration::ZERO,
            pages: 1,
        }
    }
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    Host(HostName),
    Project(HostName, ProjectName),
    Service(ServiceKey),
    /// The head of a group that is neither host nor project.
    Group(String),
}

/// By what the services are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Host,
    Attention,
    Image,
    Environment,
}

impl Group {
    /// Returns the next grouping of the round.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Host => Self::Attention,
            Self::Attention => Self::Image,
            Self::Image => Self::Environment,
            Self::Environment => Self::Host,
        }
    }

    /// Returns the word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "by host",
            Self::Attention => "by attention",
            Self::Image => "by image",
            Self::Environment => "by environment",
        }
    }
}

/// The order of services within their group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Name,
    /// Worst verdict first.
    Verdict,
    /// Longest running image first.
    Age,
}

impl Sort {
    /// Returns the next order of the round.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Verdict,
            Self::Verdict => Self::Age,
            Self::Age => Self::Name,
        }
    }

    /// Returns the word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Verdict => "worst first",
            Self::Age => "oldest image first",
        }
    }
}

/// What the screen is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum View {
    /// All hosts and services.
    #[default]
    Fleet,
    /// What a pull would fetch, of the followed tag or of another image.
    Layers {
        service: ServiceKey,
        to: Option<ImageRef>,
        /// The place of the selected layer from the top.
        selected: usize,
    },
    /// What the service could go to.
    Tags {
        service: ServiceKey,
        /// The selected candidate; where nothing was selected yet it is the running one.
        selected: Option<Chosen>,
    },
    /// What was done and seen, newest first.
    History {
        /// What it is limited to; everything without it.
        of: Option<RowId>,
        selected: usize,
    },
    /// What a registry holds.
    Registry {
        registry: RegistryHost,
        /// The one repository that is asked about; without it all.
        repository: Option<Box<str>>,
        selected: usize,
    },
    /// The log of a service's containers.
    Logs { service: ServiceKey },
    /// Builds by what they make.
    Builds {
        /// The selected row; the first one where nothing was selected yet.
        selected: Option<Lineage>,
    },
    /// One build with its steps.
    Build { build: BuildKey, scroll: usize },
    /// What needs a human, for a screen that nobody touches.
    Wall { page: usize },
}

/// A candidate by what names it, so that it stays selected while its facts arrive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    pub digest: Option<TopDigest>,
    pub image_id: Option<ImageId>,
    pub tag: Option<Box<str>>,
}

impl View {
    /// Returns the service that the view is about.
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Fleet
            | Self::Registry { .. }
            | Self::Builds { .. }
            | Self::Build { .. }
            | Self::History { .. }
            | Self::Wall { .. } => None,
            Self::Layers { service, .. } | Self::Tags { service, .. } | Self::Logs { service } => {
                Some(service)
            }
        }
    }
}

/// What lies above the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    None,
    /// The filter's text field, with what it held before.
    Filter {
        before: String,
    },
    /// The text field that goes to one candidate, with what was selected before.
    Find {
        input: String,
        before: Option<Box<Chosen>>,
    },
    Palette {
        input: String,
        chosen: usize,
    },
    Help {
        scroll: usize,
    },
    Why {
        scroll: usize,
    },
    Describe {
        scroll: usize,
    },
    /// One entry of the history, or one job.
    Entry {
        scroll: usize,
    },
    /// Hosts that could be added.
    Offers(Box<TickList>),
    /// A plan that waits for a yes.
    Plan(Box<Dialog>),
}

/// A short word to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub at: Timestamp,
}
