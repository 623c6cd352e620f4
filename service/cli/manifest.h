#pragma once
// Manifests: what a server shall hold, as a folder says it: millrace.json, or every definition in the folder.
// Reading checks everything and tells every mistake; nothing is asked of a server here.
//
//   {"stateMachines": [{"name": "fraud", "definition": "fraud.asl.json", "type": "STANDARD", "roleArn":
//   "arn:…",
//                       "publish": true, "aliases": {"PROD": "latest", "CANARY": {"3": 90, "4": 10}}}],
//    "activities": [{"name": "ask-a-person"}]}

#include <string>
#include <vector>

#include "base/result.h"
#include "service/cli/deployment.h"

namespace millrace::cli {

struct Manifest {
  std::vector<MachineSpec> machines;
  std::vector<std::string> activities;
};

// A folder with or without a millrace.json, a manifest, or a definition; added to `manifest`. Every mistake
// goes to `mistakes` (of definitions, to stderr as `validate` shows them), so that all are told at once.
void read_manifest(const std::string& path, Manifest& manifest, std::vector<Error>& mistakes);
// Names that come twice, or are none.
void check_manifest(const Manifest& manifest, std::vector<Error>& mistakes);

}  // namespace millrace::cli
