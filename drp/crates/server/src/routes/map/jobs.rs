//! Jobs: what a machine's agent asks for and reports.

use super::super::jobs;
use super::super::table::{Route, to};
use crate::openapi::{Shape, eg, list_query, op, text};
use drp_protocol::{Job, JobAction};
use serde_json::json;

const JOB: &str = "/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/jobs", to!(call, _ => jobs::all(call)))
            .also(&["GET", "HEAD"])
            .tag("jobs")
            .post(
                op("jobs_create", "Asks what comes next on a machine")
                    .notes("201: a new job. 202: the job that was given out and is not done, or an action that the daemon ran. 204: nothing to do now. `Machine` counts, `Context` when it is given, and `Uuid` for a new job. Without `Machine`, a job with `Uuid` is stored as it is.")
                    .takes::<Job>()
                    .gives::<Job>(201)
                    .gives::<Job>(202)
                    .gives_shape(204, Shape::Nothing)
                    .tagged()
                    .fails(&[404, 409, 422])
                    .example(
                        eg("/jobs")
                            .body(json!({"Uuid": JOB.trim_start_matches("/jobs/"), "State": "created"}))
                            .expect(201)
                            .first(),
                    )
                    .example(eg("/jobs").body(json!({})).expect(400)),
            )
            .delete(
                op("jobs_purge", "Deletes jobs that are over")
                    .notes("Query parameters are filters, as for lists. What a machine will ask for again stays. The answer holds the keys of what went.")
                    .queries(list_query())
                    .gives::<Vec<String>>(200)
                    .fails(&[406])
                    .example(eg("/jobs?Task=none").answer(json!([]))),
            ),
        Route::new("/jobs/{id}/log", to!(call, at => jobs::log(call, at.one(0))))
            .tag("jobs")
            .get(
                op("jobs_log", "The log of a job")
                    .gives_shape(200, Shape::Octets)
                    .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/log")),
            )
            .put(
                op("jobs_log_add", "Adds to the log of a job")
                    .takes_shape(Shape::Octets)
                    .gives_shape(204, Shape::Nothing)
                    .fails(&[400, 413, 415])
                    .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/log").bytes("one line\n").expect(204)),
            ),
        Route::new("/jobs/{id}/actions", to!(call, at => jobs::actions(call, at.one(0))))
            .tag("jobs")
            .get(
                op("jobs_actions", "What an agent does for a job: the templates of its task, rendered")
                    .query(text("os", "Only what is for this operating system"))
                    .gives::<Vec<JobAction>>(200)
                    .fails(&[409])
                    .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/actions")),
            ),
    ]
}
