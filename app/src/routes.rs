//! Every page's address.

use leptos::prelude::*;
use leptos_router::components::{ParentRoute, Route, Routes};
use leptos_router::{SsrMode, path};
use millrace_domain::fault::Fault;

use crate::components::{FaultNotice, Frame, PageHeader};
use crate::fault::PageFault;
use crate::pages::account::AccountPage;
use crate::pages::alert::{AlertByMailPage, AlertPage, AlertsPage};
use crate::pages::audit::AuditPage;
use crate::pages::auth::{CodePage, ConfirmPage, ForgotPage, InvitePage, ResetPage, SetUpPage, SignInPage};
use crate::pages::case::{CasesPage, PredictionPage};
use crate::pages::dataset::{DatasetPage, DatasetVersionPage, DatasetsPage, UploadDatasetPage};
use crate::pages::deployment::{ChangePage, DeploymentPage, DeploymentsPage};
use crate::pages::feature::{FeatureSetPage, FeatureSetsPage};
use crate::pages::find::FindPage;
use crate::pages::home::HomePage;
use crate::pages::mail::{MailListPage, MailPage};
use crate::pages::model::{CompareVersionsPage, ModelCardPage, ModelPage, ModelVersionPage, ModelsPage};
use crate::pages::monitor::{MonitorPage, RulePage};
use crate::pages::people::PeoplePage;
use crate::pages::problem::{ProblemVersionPage, ProblemsPage, WriteProblemPage};
use crate::pages::rehearsal::{RehearsalPage, RehearsalsPage};
use crate::pages::retraining::{BackfillPage, RetrainingPage};
use crate::pages::run::{CompareRunsPage, LaunchRunPage, RunPage, RunsPage};

/// A page leaves the server complete: content that is streamed late needs scripts to get to its place.
const WHOLE: SsrMode = SsrMode::Async;

/// The page of the address.
#[component]
pub fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=NoSuchPage>
            <Route path=path!("/sign-in") view=SignInPage ssr=WHOLE/>
            <Route path=path!("/sign-in/code") view=CodePage ssr=WHOLE/>
            <Route path=path!("/confirm") view=ConfirmPage ssr=WHOLE/>
            <Route path=path!("/forgot") view=ForgotPage ssr=WHOLE/>
            <Route path=path!("/invite") view=InvitePage ssr=WHOLE/>
            <Route path=path!("/reset") view=ResetPage ssr=WHOLE/>
            <Route path=path!("/set-up") view=SetUpPage ssr=WHOLE/>
            <Route path=path!("/alerts/:id/by-mail") view=AlertByMailPage ssr=WHOLE/>
            <ParentRoute path=path!("") view=Frame ssr=WHOLE>
                <Route path=path!("/") view=HomePage ssr=WHOLE/>
                <Route path=path!("/problems") view=ProblemsPage ssr=WHOLE/>
                <Route path=path!("/problems/new") view=WriteProblemPage ssr=WHOLE/>
                <Route path=path!("/problems/:slug") view=ProblemVersionPage ssr=WHOLE/>
                <Route path=path!("/problems/:slug/v/:number") view=ProblemVersionPage ssr=WHOLE/>
                <Route path=path!("/problems/:slug/cases") view=CasesPage ssr=WHOLE/>
                <Route path=path!("/datasets") view=DatasetsPage ssr=WHOLE/>
                <Route path=path!("/datasets/new") view=UploadDatasetPage ssr=WHOLE/>
                <Route path=path!("/datasets/:id") view=DatasetPage ssr=WHOLE/>
                <Route path=path!("/datasets/:id/v/:number") view=DatasetVersionPage ssr=WHOLE/>
                <Route path=path!("/features") view=FeatureSetsPage ssr=WHOLE/>
                <Route path=path!("/features/:slug") view=FeatureSetPage ssr=WHOLE/>
                <Route path=path!("/runs") view=RunsPage ssr=WHOLE/>
                <Route path=path!("/runs/new") view=LaunchRunPage ssr=WHOLE/>
                <Route path=path!("/runs/compare") view=CompareRunsPage ssr=WHOLE/>
                <Route path=path!("/runs/:id") view=RunPage ssr=WHOLE/>
                <Route path=path!("/models") view=ModelsPage ssr=WHOLE/>
                <Route path=path!("/models/:slug") view=ModelPage ssr=WHOLE/>
                <Route path=path!("/models/:slug/compare") view=CompareVersionsPage ssr=WHOLE/>
                <Route path=path!("/models/:slug/v/:number") view=ModelVersionPage ssr=WHOLE/>
                <Route path=path!("/models/:slug/v/:number/card") view=ModelCardPage ssr=WHOLE/>
                <Route path=path!("/deployments") view=DeploymentsPage ssr=WHOLE/>
                <Route path=path!("/deployments/:slug") view=DeploymentPage ssr=WHOLE/>
                <Route path=path!("/deployments/:slug/changes/:generation") view=ChangePage ssr=WHOLE/>
                <Route path=path!("/deployments/:slug/monitor") view=MonitorPage ssr=WHOLE/>
                <Route path=path!("/deployments/:slug/rule") view=RulePage ssr=WHOLE/>
                <Route path=path!("/problems/:slug/retraining") view=RetrainingPage ssr=WHOLE/>
                <Route path=path!("/problems/:slug/backfill") view=BackfillPage ssr=WHOLE/>
                <Route path=path!("/problems/:slug/rehearsals") view=RehearsalsPage ssr=WHOLE/>
                <Route path=path!("/rehearsals/:id") view=RehearsalPage ssr=WHOLE/>
                <Route path=path!("/find") view=FindPage ssr=WHOLE/>
                <Route path=path!("/alerts") view=AlertsPage ssr=WHOLE/>
                <Route path=path!("/alerts/:id") view=AlertPage ssr=WHOLE/>
                <Route path=path!("/predictions") view=PredictionPage ssr=WHOLE/>
                <Route path=path!("/people") view=PeoplePage ssr=WHOLE/>
                <Route path=path!("/audit") view=AuditPage ssr=WHOLE/>
                <Route path=path!("/mail") view=MailListPage ssr=WHOLE/>
                <Route path=path!("/mail/:number") view=MailPage ssr=WHOLE/>
                <Route path=path!("/account") view=AccountPage ssr=WHOLE/>
            </ParentRoute>
        </Routes>
    }
}

#[component]
fn NoSuchPage() -> impl IntoView {
    let fault = PageFault::from(Fault::not_found("page")).0;
    view! {
        <main class="main" id="main">
            <PageHeader title="Not found"/>
            <FaultNotice fault/>
            <p><a href="/">"Home"</a></p>
        </main>
    }
}
