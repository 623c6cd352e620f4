#pragma once
// The parameters of the operations on lineage, versions and records of jobs, as the catalog shows them.
// Tables only.

#include "tasks/task_kind.h"

namespace millrace::tasks {

inline constexpr Parameter kLineageQueryParameters[] = {
    {"StartArns", "array", true, "ARNs; also s3://bucket/key, endpoint/NAME, training-job/NAME, …"},
    {"Direction", "string", false, "Both (default), Ascendants, Descendants"},
    {"IncludeEdges", "boolean", false, "true"},
    {"Filters", "object", false,
     "Types, LineageTypes, CreatedAfter/Before, ModifiedAfter/Before, Properties"},
    {"MaxDepth", "number", false, "steps; 10"},
    {"MaxResults", "number", false, "vertices of a page: 1000; at most 20000"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kAssociationParameters[] = {
    {"SourceArn", "string", true},
    {"DestinationArn", "string", true},
    {"AssociationType", "string", false, "ContributedTo, AssociatedWith, DerivedFrom, Produced, SameAs"},
};
inline constexpr Parameter kListAssociationsParameters[] = {
    {"SourceArn", "string", false, "also DestinationArn, SourceType, DestinationType, AssociationType"},
    {"CreatedAfter", "time", false, "also CreatedBefore"},
    {"SortBy", "string", false,
     "CreationTime (default), SourceArn, DestinationArn, SourceType, DestinationType"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kArtifactParameters[] = {
    {"Source", "object", true, "SourceUri; SourceTypes [{SourceIdType, Value}]"},
    {"ArtifactType", "string", true, "DataSet, Model, … or a word of yours"},
    {"ArtifactName", "string", false, "for people"},
    {"Properties", "map", false, "strings by name"},
};
inline constexpr Parameter kActionParameters[] = {
    {"ActionName", "string", true, "unique"},
    {"Source", "object", true, "SourceUri"},
    {"ActionType", "string", true, "ModelDeployment, Approval, … or a word of yours"},
    {"Status", "string", false, "Unknown, InProgress, Completed, Failed, Stopping, Stopped"},
    {"Description", "string", false, "for people"},
    {"Properties", "map", false, "strings by name"},
};
inline constexpr Parameter kContextParameters[] = {
    {"ContextName", "string", true, "unique"},
    {"Source", "object", true, "SourceUri"},
    {"ContextType", "string", true, "Endpoint, ModelGroup, … or a word of yours"},
    {"Description", "string", false, "for people"},
    {"Properties", "map", false, "strings by name"},
};
inline constexpr Parameter kArtifactArn[] = {{"ArtifactArn", "string", true}};
inline constexpr Parameter kActionName[] = {{"ActionName", "string", true}};
inline constexpr Parameter kContextName[] = {{"ContextName", "string", true}};
inline constexpr Parameter kArtifactUpdateParameters[] = {
    {"ArtifactArn", "string", true},
    {"ArtifactName", "string", false, "for people"},
    {"Properties", "map", false, "added or replaced; PropertiesToRemove takes some away"},
};
inline constexpr Parameter kActionUpdateParameters[] = {
    {"ActionName", "string", true},
    {"Status", "string", false},
    {"Description", "string", false, "for people"},
    {"Properties", "map", false, "added or replaced; PropertiesToRemove takes some away"},
};
inline constexpr Parameter kContextUpdateParameters[] = {
    {"ContextName", "string", true},
    {"Description", "string", false, "for people"},
    {"Properties", "map", false, "added or replaced; PropertiesToRemove takes some away"},
};
inline constexpr Parameter kListLineageParameters[] = {
    {"SourceUri", "string", false, "s3://…, an ARN"},
    {"ArtifactType", "string", false, "or ActionType, ContextType"},
    {"CreatedAfter", "time", false, "also CreatedBefore"},
    {"SortBy", "string", false, "CreationTime (default)"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kRollbackParameters[] = {
    {"ModelPackageGroupName", "string", true},
    {"Alias", "string", false, "champion (default)"},
    {"EndpointName", "string", false, "is updated with it; serves GROUP@ALIAS"},
};
inline constexpr Parameter kCompareParameters[] = {
    {"ModelPackageGroupName", "string", true},
    {"Versions", "array", true, "numbers and aliases, 2 to 20"},
};
inline constexpr Parameter kListJobRecordsParameters[] = {
    {"JobKind", "string", false, "TrainingJob, ProcessingJob, TransformJob, HyperParameterTuningJob"},
    {"NameContains", "string", false, "part of the name"},
    {"StatusEquals", "string", false, "InProgress, Completed, Failed, Stopping, Stopped"},
    {"MaxResults", "number", false, "100; at most 1000"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kJobRecordParameters[] = {
    {"JobName", "string", true, "or its ARN"},
    {"JobKind", "string", false, "when jobs of several kinds have the name"},
};

}  // namespace millrace::tasks
