#pragma once
// The functions of EventBridge's operations, a file a group of resources; the table is in event_table.cpp.

#include "service/bus/operations.h"

namespace millrace::bus {

// bus_operations.cpp
BusAnswer create_event_bus(OperationCall& call);
BusAnswer update_event_bus(OperationCall& call);
BusAnswer describe_event_bus(OperationCall& call);
BusAnswer list_event_buses(OperationCall& call);
BusAnswer delete_event_bus(OperationCall& call);
BusAnswer tag_event_resource(OperationCall& call);
BusAnswer untag_event_resource(OperationCall& call);
BusAnswer list_event_tags(OperationCall& call);
BusAnswer test_event_pattern(OperationCall& call);
// rule_operations.cpp
BusAnswer put_rule(OperationCall& call);
BusAnswer describe_rule(OperationCall& call);
BusAnswer list_rules(OperationCall& call);
BusAnswer enable_rule(OperationCall& call);
BusAnswer disable_rule(OperationCall& call);
BusAnswer delete_rule(OperationCall& call);
BusAnswer put_targets(OperationCall& call);
BusAnswer remove_targets(OperationCall& call);
BusAnswer list_targets_by_rule(OperationCall& call);
BusAnswer list_rule_names_by_target(OperationCall& call);
// archive_operations.cpp
BusAnswer create_archive(OperationCall& call);
BusAnswer update_archive(OperationCall& call);
BusAnswer describe_archive(OperationCall& call);
BusAnswer list_archives(OperationCall& call);
BusAnswer delete_archive(OperationCall& call);
BusAnswer start_replay(OperationCall& call);
BusAnswer describe_replay(OperationCall& call);
BusAnswer list_replays(OperationCall& call);
BusAnswer cancel_replay(OperationCall& call);
// destination_operations.cpp
BusAnswer create_api_destination(OperationCall& call);
BusAnswer update_api_destination(OperationCall& call);
BusAnswer describe_api_destination(OperationCall& call);
BusAnswer list_api_destinations(OperationCall& call);
BusAnswer delete_api_destination(OperationCall& call);

std::string bus_arn(const BusPlace& place, std::string_view name);
std::string rule_arn(const BusPlace& place, std::string_view bus, std::string_view rule);

}  // namespace millrace::bus
