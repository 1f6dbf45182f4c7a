//! Problems: the list, writing a document, and one version with its review.

mod changes;
mod document_text;
mod facts;
mod list;
mod parts;
mod version;
mod write;

pub use list::{ListProblems, ProblemsPage, list_problems};
pub use version::{DecideProblem, ProblemVersion, ProblemVersionPage, SubmitProblem, problem_version};
pub use write::{SaveProblem, WriteProblemPage};
