// The bytes of the files in Sources/Console/Files, which the compiler reads.
#include "include/console.h"

// C23, which the compilers of Swift 6.3 also have in older modes.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t actions_js[] = {
#embed "../Console/Files/actions.js"
};
static const uint8_t api_js[] = {
#embed "../Console/Files/api.js"
};
static const uint8_t app_js[] = {
#embed "../Console/Files/app.js"
};
static const uint8_t calls_js[] = {
#embed "../Console/Files/calls.js"
};
static const uint8_t changes_js[] = {
#embed "../Console/Files/changes.js"
};
static const uint8_t controls_js[] = {
#embed "../Console/Files/controls.js"
};
static const uint8_t decisions_js[] = {
#embed "../Console/Files/decisions.js"
};
static const uint8_t dialog_js[] = {
#embed "../Console/Files/dialog.js"
};
static const uint8_t dom_js[] = {
#embed "../Console/Files/dom.js"
};
static const uint8_t endpoint_js[] = {
#embed "../Console/Files/endpoint.js"
};
static const uint8_t endpoints_js[] = {
#embed "../Console/Files/endpoints.js"
};
static const uint8_t fleet_js[] = {
#embed "../Console/Files/fleet.js"
};
static const uint8_t format_js[] = {
#embed "../Console/Files/format.js"
};
static const uint8_t frames_js[] = {
#embed "../Console/Files/frames.js"
};
static const uint8_t history_js[] = {
#embed "../Console/Files/history.js"
};
static const uint8_t icon_svg[] = {
#embed "../Console/Files/icon.svg"
};
static const uint8_t index_html[] = {
#embed "../Console/Files/index.html"
};
static const uint8_t limits_js[] = {
#embed "../Console/Files/limits.js"
};
static const uint8_t live_js[] = {
#embed "../Console/Files/live.js"
};
static const uint8_t model_js[] = {
#embed "../Console/Files/model.js"
};
static const uint8_t plots_js[] = {
#embed "../Console/Files/plots.js"
};
static const uint8_t policy_js[] = {
#embed "../Console/Files/policy.js"
};
static const uint8_t rollout_js[] = {
#embed "../Console/Files/rollout.js"
};
static const uint8_t series_js[] = {
#embed "../Console/Files/series.js"
};
static const uint8_t shadows_js[] = {
#embed "../Console/Files/shadows.js"
};
static const uint8_t split_js[] = {
#embed "../Console/Files/split.js"
};
static const uint8_t style_css[] = {
#embed "../Console/Files/style.css"
};
static const uint8_t table_js[] = {
#embed "../Console/Files/table.js"
};
static const uint8_t traffic_js[] = {
#embed "../Console/Files/traffic.js"
};
static const uint8_t windows_js[] = {
#embed "../Console/Files/windows.js"
};

static const struct console_file files[] = {
    {"actions.js", actions_js, sizeof actions_js},
    {"api.js", api_js, sizeof api_js},
    {"app.js", app_js, sizeof app_js},
    {"calls.js", calls_js, sizeof calls_js},
    {"changes.js", changes_js, sizeof changes_js},
    {"controls.js", controls_js, sizeof controls_js},
    {"decisions.js", decisions_js, sizeof decisions_js},
    {"dialog.js", dialog_js, sizeof dialog_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"endpoint.js", endpoint_js, sizeof endpoint_js},
    {"endpoints.js", endpoints_js, sizeof endpoints_js},
    {"fleet.js", fleet_js, sizeof fleet_js},
    {"format.js", format_js, sizeof format_js},
    {"frames.js", frames_js, sizeof frames_js},
    {"history.js", history_js, sizeof history_js},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"index.html", index_html, sizeof index_html},
    {"limits.js", limits_js, sizeof limits_js},
    {"live.js", live_js, sizeof live_js},
    {"model.js", model_js, sizeof model_js},
    {"plots.js", plots_js, sizeof plots_js},
    {"policy.js", policy_js, sizeof policy_js},
    {"rollout.js", rollout_js, sizeof rollout_js},
    {"series.js", series_js, sizeof series_js},
    {"shadows.js", shadows_js, sizeof shadows_js},
    {"split.js", split_js, sizeof split_js},
    {"style.css", style_css, sizeof style_css},
    {"table.js", table_js, sizeof table_js},
    {"traffic.js", traffic_js, sizeof traffic_js},
    {"windows.js", windows_js, sizeof windows_js},
};

const struct console_file *console_file_at(size_t index) {
    return index < sizeof files / sizeof *files ? &files[index] : NULL;
}
