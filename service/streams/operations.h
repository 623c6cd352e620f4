#pragma once
// The operations on consumers as tables over the bus's records: Lambda's event source mappings, EventBridge
// Pipes, Firehose's delivery streams. Store thread. Source: Lambda, EventBridge Pipes and Firehose API
// references. Not here: roles (kept, not used), encryption, logging, schemas.

#include <span>

#include "service/bus/operations.h"

namespace millrace::streams {

std::span<const bus::BusOperation> mapping_operations();
std::span<const bus::BusOperation> pipe_operations();
std::span<const bus::BusOperation> delivery_operations();

}  // namespace millrace::streams
