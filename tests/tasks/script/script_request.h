#pragma once
// Requests for jobs of programs, and wheels for them.

#include <zlib.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tests/tasks/jobs/temporary_home.h"

namespace millrace::tasks {

// CreateTrainingJob of the file `program` of `files`, which go into the object store.
inline Json script_request(const TemporaryHome& home, const std::string& name, const std::string& program,
                           const std::vector<std::pair<std::string, std::string>>& files,
                           const Json& more = {}) {
  for (const auto& [file, text] : files) home.write("objects/b/code-" + name + "/" + file, text);
  Json request = {
      {"TrainingJobName", name},
      {"AlgorithmSpecification", {{"TrainingImage", "script"}}},
      {"HyperParameters",
       {{"sagemaker_program", program}, {"sagemaker_submit_directory", "s3://b/code-" + name + "/"}}},
      {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}}};
  if (!more.is_null()) request.merge_patch(more);
  return request;
}

// A zip file of files as they are, not compressed.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string body, directory;
  const auto number = [](std::string& into, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) into += static_cast<char>(value >> (8 * i) & 0xff);
  };
  for (const auto& [name, text] : files) {
    const std::uint64_t place = body.size();
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
    std::string common;  // from "version needed" to the length of the extra field
    number(common, 20, 2), number(common, 0, 2), number(common, 0, 2);
    number(common, 0, 2), number(common, 0x21, 2);  // 1980-01-01
    number(common, crc, 4), number(common, text.size(), 4), number(common, text.size(), 4);
    number(common, name.size(), 2), number(common, 0, 2);
    body += "PK\x03\x04" + common + name + text;
    directory += "PK\x01\x02";
    number(directory, 20, 2);
    directory += common;
    number(directory, 0, 2), number(directory, 0, 2), number(directory, 0, 2);
    number(directory, std::uint64_t{0100644} << 16, 4), number(directory, place, 4);
    directory += name;
  }
  std::string end = "PK\x05\x06";
  number(end, 0, 4), number(end, files.size(), 2), number(end, files.size(), 2);
  number(end, directory.size(), 4), number(end, body.size(), 4), number(end, 0, 2);
  return body + directory + end;
}

// The wheel NAME-VERSION-py3-none-any.whl with one module NAME.
inline std::string wheel_of(const std::string& name, const std::string& version, const std::string& module) {
  const std::string info = name + "-" + version + ".dist-info/";
  return zip_of(
      {{name + ".py", module},
       {info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
       {info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
       {info + "RECORD",
        name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"}});
}

inline std::string wheel_name(const std::string& name, const std::string& version) {
  return name + "-" + version + "-py3-none-any.whl";
}

}  // namespace millrace::tasks
