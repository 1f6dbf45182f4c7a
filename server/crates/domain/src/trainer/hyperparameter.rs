//! Hyperparameters, declared once: names, ranges, defaults, and where to search.

use serde::Serialize;

use super::Trainer;
use super::setting::{Range, Scale, Setting};

/// One hyperparameter of a trainer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hyperparameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The values it may have.
    pub range: Range,
    /// Its value when nobody says otherwise.
    pub default: Setting,
    /// Where a search looks when nobody says otherwise; none when it leaves the default.
    pub search: Option<Range>,
}

impl Trainer {
    /// Its hyperparameters.
    pub const fn hyperparameters(self) -> &'static [Hyperparameter] {
        match self {
            Self::Logistic => LOGISTIC,
            Self::ElasticNet => ELASTIC_NET,
            Self::GradientBoosting => GRADIENT_BOOSTING,
            Self::RandomForest => RANDOM_FOREST,
            Self::DecisionTree => DECISION_TREE,
            // Those of a program are declared beside it.
            Self::External => &[],
        }
    }

    /// The hyperparameter of that name; the reason why not names those that exist.
    pub(super) fn hyperparameter(self, name: &str) -> Result<&'static Hyperparameter, String> {
        self.hyperparameters().iter().find(|parameter| parameter.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.hyperparameters().iter().map(|parameter| parameter.name).collect();
            format!("is no hyperparameter of {}; it has {}", self.as_str(), names.join(", "))
        })
    }
}

const fn number(low: f64, high: f64, scale: Scale) -> Range {
    Range::Number { low, high, scale }
}

const fn integer(low: u64, high: u64, scale: Scale) -> Range {
    Range::Integer { low, high, scale }
}

/// Name of the hyperparameter by which classes count.
pub const CLASS_BALANCE: &str = "class_balance";

const BALANCE: Hyperparameter = Hyperparameter {
    name: CLASS_BALANCE,
    description: "a row counts as (n / (k n_c)) to this power, of n rows in k classes with n_c in its own: 0 is as they are, 1 as if \
        classes were equally frequent; scores are then no longer probabilities unless they are calibrated. Of numbers it says nothing",
    range: number(0.0, 1.0, Scale::Linear),
    default: Setting::Number(0.0),
    search: None,
};

const LOGISTIC: &[Hyperparameter] = &[
    Hyperparameter {
        name: "alpha",
        description: "strength of the L2 penalty ½ α Σ w² beside the summed log loss; 0 is none",
        range: number(0.0, 1e6, Scale::Linear),
        default: Setting::Number(1.0),
        search: Some(number(1e-3, 1e3, Scale::Log)),
    },
    BALANCE,
    Hyperparameter {
        name: "max_iterations",
        description: "most iterations of the solver",
        range: integer(1, 100_000, Scale::Log),
        default: Setting::Integer(2_000),
        search: None,
    },
    Hyperparameter {
        name: "tolerance",
        description: "the solver has converged when no component of the gradient of the mean loss is larger",
        range: number(1e-10, 1e-2, Scale::Log),
        default: Setting::Number(1e-6),
        search: None,
    },
];

const ELASTIC_NET: &[Hyperparameter] = &[
    Hyperparameter {
        name: "alpha",
        description: "strength of the penalty, for a target scaled to a standard deviation of 1; 0 is none",
        range: number(0.0, 1e6, Scale::Linear),
        default: Setting::Number(1e-3),
        search: Some(number(1e-5, 1.0, Scale::Log)),
    },
    Hyperparameter {
        name: "l1_ratio",
        description: "share of the L1 part of the penalty: 1 is the lasso, 0 is ridge",
        range: number(0.0, 1.0, Scale::Linear),
        default: Setting::Number(0.5),
        search: Some(number(0.0, 1.0, Scale::Linear)),
    },
    Hyperparameter {
        name: "max_iterations",
        description: "most passes over the features",
        range: integer(10, 100_000, Scale::Log),
        default: Setting::Integer(10_000),
        search: None,
    },
    Hyperparameter {
        name: "tolerance",
        description: "the solver has converged when no optimality condition of the scaled problem is missed by more",
        range: number(1e-10, 1e-2, Scale::Log),
        default: Setting::Number(1e-6),
        search: None,
    },
];

const GRADIENT_BOOSTING: &[Hyperparameter] = &[
    Hyperparameter {
        name: "eta",
        description: "share of each tree's correction that is taken",
        range: number(1e-4, 1.0, Scale::Log),
        default: Setting::Number(0.1),
        search: Some(number(0.01, 0.3, Scale::Log)),
    },
    Hyperparameter {
        name: "rounds",
        description: "most trees (per class)",
        range: integer(1, 5_000, Scale::Log),
        default: Setting::Integer(500),
        search: None,
    },
    Hyperparameter {
        name: "early_stopping_rounds",
        description: "stop when the validation loss has not improved for so many rounds; 0 never stops",
        range: integer(0, 1_000, Scale::Linear),
        default: Setting::Integer(30),
        search: None,
    },
    Hyperparameter {
        name: "max_depth",
        description: "most splits between the root and a leaf; by default it is the leaves that are limited",
        range: integer(1, 16, Scale::Linear),
        default: Setting::Integer(16),
        search: Some(integer(3, 10, Scale::Linear)),
    },
    Hyperparameter {
        name: "max_leaves",
        description: "most leaves of a tree; the leaf that gains most is split next",
        range: integer(2, 1_024, Scale::Log),
        default: Setting::Integer(31),
        search: Some(integer(8, 128, Scale::Log)),
    },
    Hyperparameter {
        name: "min_child_weight",
        description: "least sum of second derivatives in a leaf",
        range: number(0.0, 1e6, Scale::Linear),
        default: Setting::Number(10.0),
        search: Some(number(0.5, 30.0, Scale::Log)),
    },
    Hyperparameter {
        name: "subsample",
        description: "share of the rows that each tree is fitted on",
        range: number(0.05, 1.0, Scale::Linear),
        default: Setting::Number(1.0),
        search: Some(number(0.5, 1.0, Scale::Linear)),
    },
    Hyperparameter {
        name: "colsample",
        description: "share of the features that each tree may use",
        range: number(0.05, 1.0, Scale::Linear),
        default: Setting::Number(1.0),
        search: Some(number(0.5, 1.0, Scale::Linear)),
    },
    Hyperparameter {
        name: "reg_lambda",
        description: "strength of the L2 penalty on leaf values",
        range: number(0.0, 1e6, Scale::Linear),
        default: Setting::Number(1.0),
        search: Some(number(0.01, 30.0, Scale::Log)),
    },
    BALANCE,
];

const RANDOM_FOREST: &[Hyperparameter] = &[
    Hyperparameter {
        name: "trees",
        description: "trees that are averaged",
        range: integer(1, 2_000, Scale::Log),
        default: Setting::Integer(100),
        search: None,
    },
    Hyperparameter {
        name: "max_depth",
        description: "most splits between the root and a leaf",
        range: integer(1, 64, Scale::Linear),
        default: Setting::Integer(20),
        search: Some(integer(6, 30, Scale::Linear)),
    },
    MIN_LEAF_ROWS,
    SMOOTHING,
    BALANCE,
    Hyperparameter {
        name: "max_features",
        description: "share of the features, drawn anew for each split, that it may use",
        range: number(0.01, 1.0, Scale::Linear),
        default: Setting::Number(0.3),
        search: Some(number(0.1, 1.0, Scale::Linear)),
    },
    Hyperparameter {
        name: "subsample",
        description: "share of the rows that each tree is grown on, drawn without replacement",
        range: number(0.05, 1.0, Scale::Linear),
        default: Setting::Number(0.632),
        search: Some(number(0.4, 0.9, Scale::Linear)),
    },
];

const DECISION_TREE: &[Hyperparameter] = &[
    Hyperparameter {
        name: "max_depth",
        description: "most splits between the root and a leaf",
        range: integer(1, 64, Scale::Linear),
        default: Setting::Integer(6),
        search: Some(integer(2, 16, Scale::Linear)),
    },
    Hyperparameter {
        name: "max_leaves",
        description: "most leaves; the leaf that gains most is split next",
        range: integer(2, 65_536, Scale::Log),
        default: Setting::Integer(32),
        search: Some(integer(4, 512, Scale::Log)),
    },
    MIN_LEAF_ROWS,
    SMOOTHING,
    BALANCE,
];

const SMOOTHING: Hyperparameter = Hyperparameter {
    name: "smoothing",
    description: "so many rows that are like the whole training part are added to each leaf; without any, a leaf may be certain",
    range: number(0.0, 1e6, Scale::Linear),
    default: Setting::Number(1.0),
    search: Some(number(0.1, 30.0, Scale::Log)),
};

const MIN_LEAF_ROWS: Hyperparameter = Hyperparameter {
    name: "min_leaf_rows",
    description: "least rows in a leaf, each counted as class_balance has it",
    range: integer(1, 1_000_000, Scale::Log),
    default: Setting::Integer(10),
    search: Some(integer(2, 200, Scale::Log)),
};
