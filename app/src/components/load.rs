use leptos::prelude::*;

use super::{FaultNotice, PageHeader};
use crate::fault::PageFault;

/// A page's data: a skeleton while it is fetched, its fault if that fails, else what `children` makes of it. What is on the
/// screen stays while newer data is on its way.
///
/// `<Load resource=runs let:runs>…</Load>`
#[component]
pub fn Load<T, F, V>(
    /// The data.
    resource: Resource<Result<T, PageFault>>,
    /// The list above the page, by name and address: given where the data is the whole page, so that a page without data has a
    /// head and a way back.
    #[prop(optional)]
    above: Option<(&'static str, &'static str)>,
    /// What it looks like. Runs anew with every answer, so forms belong outside ([`PageForm::new`](crate::form::PageForm::new)).
    children: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=Loading>
            {move || {
                let children = children.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(data) => children(data).into_any(),
                        Err(PageFault(fault)) => {
                            let head = above.map(|(name, href)| {
                                let crumbs = vec![(name.to_owned(), href.to_owned())];
                                view! { <PageHeader title=fault.title.clone() crumbs/> }
                            });
                            view! { {head} <FaultNotice fault/> }.into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Loading() -> impl IntoView {
    view! {
        <div class="stack" aria-busy="true">
            <div class="skeleton skeleton-title" aria-hidden="true"></div>
            <div class="skeleton skeleton-block" aria-hidden="true"></div>
        </div>
    }
}
