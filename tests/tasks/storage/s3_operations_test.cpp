#include "tasks/storage/s3_operations.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct S3 {
  TemporaryHome home;
  TaskDriver driver{home.path()};
  std::string run(const std::string& operation, const std::string& arguments) {
    return driver.run("aws-sdk:s3:" + operation, arguments);
  }
  Json answer(const std::string& operation, const std::string& arguments) {
    const std::string text = run(operation, arguments);
    const Json parsed = Json::parse(text, nullptr, false);
    REQUIRE_MESSAGE(!parsed.is_discarded(), text);
    return parsed;
  }
};

const std::string kIds = ", Request ID: ";

}  // namespace

TEST_CASE("S3: what is put can be had, looked at, copied and deleted") {
  S3 s3;
  const Json put = s3.answer("putObject", R"({"Bucket":"b","Key":"in/a.json","Body":{"n":[1,2]}})");
  CHECK(put["ETag"] == "\"c917ac81cc021ef5af73a4bfc8b7eee5\"");
  CHECK(s3.home.read("objects/b/in/a.json") == R"({"n":[1,2]})");
  const Json got = s3.answer("getObject", R"({"Bucket":"b","Key":"in/a.json"})");
  CHECK(got["Body"] == R"({"n":[1,2]})");
  CHECK(got["ContentLength"] == 11);
  CHECK(got["ETag"] == put["ETag"]);
  CHECK(got["LastModified"].get<std::string>().size() == 20);
  Json head = s3.answer("headObject", R"({"Bucket":"b","Key":"in/a.json"})");
  head["Body"] = got["Body"];
  CHECK(head == got);
  s3.answer("putObject", R"({"Bucket":"b","Key":"text","Body":"words"})");
  CHECK(s3.home.read("objects/b/text") == "\"words\"");
  s3.answer("copyObject", R"({"Bucket":"c","Key":"d","CopySource":"/b/in%2Fa.json"})");
  CHECK(s3.home.read("objects/c/d") == R"({"n":[1,2]})");
  CHECK(s3.answer("listBuckets", "{}")["Buckets"][1]["Name"] == "c");
  CHECK(s3.run("deleteObject", R"({"Bucket":"c","Key":"d"})") == "{}");
  CHECK(s3.run("deleteObject", R"({"Bucket":"c","Key":"d"})") == "{}");
  CHECK(s3.run("getObject", R"({"Bucket":"c","Key":"d"})")
            .starts_with(
                "S3.NoSuchKeyException: The specified key does not exist. (Service: S3, Status Code: 404" +
                kIds));
}

TEST_CASE("S3: ranges of bytes") {
  S3 s3;
  s3.home.write("objects/b/k", "0123456789");
  const auto range = [&](const char* text) {
    const std::string answer =
        s3.run("getObject", std::string(R"({"Bucket":"b","Key":"k","Range":")") + text + "\"}");
    const Json parsed = Json::parse(answer, nullptr, false);
    return parsed.is_discarded()
               ? answer.substr(0, answer.find(" ("))
               : parsed["Body"].get<std::string>() + " " + parsed["ContentRange"].get<std::string>();
  };
  CHECK(range("bytes=2-4") == "234 bytes 2-4/10");
  CHECK(range("bytes=7-") == "789 bytes 7-9/10");
  CHECK(range("bytes=-3") == "789 bytes 7-9/10");
  CHECK(range("bytes=0-99") == "0123456789 bytes 0-9/10");
  for (const char* bad : {"bytes=10-", "bytes=4-2", "lines=1-2", "bytes=", "bytes=-0", "bytes=a-b"})
    CHECK_MESSAGE(range(bad) == "S3.S3Exception: The requested range is not satisfiable", bad);
}

TEST_CASE("S3: what is not there, and what is no name") {
  S3 s3;
  s3.home.write("objects/b/a/b", "");
  const auto error = [&](const char* operation, const char* arguments) {
    const std::string text = s3.run(operation, arguments);
    return text.substr(0, text.find(": "));
  };
  CHECK(error("getObject", R"({"Bucket":"nowhere","Key":"k"})") == "S3.NoSuchBucketException");
  CHECK(error("listObjectsV2", R"({"Bucket":"nowhere"})") == "S3.NoSuchBucketException");
  CHECK(error("getObject", R"({"Bucket":"b","Key":"a"})") == "S3.NoSuchKeyException");
  CHECK(error("headObject", R"({"Bucket":"b","Key":"a/"})") == "S3.NoSuchKeyException");
  CHECK(error("copyObject", R"({"Bucket":"b","Key":"x","CopySource":"b/nothing"})") ==
        "S3.NoSuchKeyException");
  CHECK(error("getObject", R"({"Bucket":"b","Key":"../../tasks.db"})") == "S3.S3Exception");
  CHECK(error("putObject", R"({"Bucket":"../x","Key":"k"})") == "S3.S3Exception");
  CHECK(error("putObject", R"({"Bucket":"b"})") == "S3.S3Exception");
  CHECK(error("getObject", "[]") == "S3.ValidationException");
}

TEST_CASE("S3: listings by prefix and delimiter, in pages") {
  S3 s3;
  for (const char* key : {"a.txt", "in/1", "in/2", "in/deep/3", "in/deep/4", "out/5", "z"})
    s3.home.write(std::string("objects/b/") + key, "x");
  const auto keys = [](const Json& page) {
    std::string text;
    if (page.contains("Contents"))
      for (const Json& entry : page["Contents"]) text += entry["Key"].get<std::string>() + " ";
    if (page.contains("CommonPrefixes"))
      for (const Json& entry : page["CommonPrefixes"])
        text += "[" + entry["Prefix"].get<std::string>() + "] ";
    return text;
  };
  const Json all = s3.answer("listObjectsV2", R"({"Bucket":"b"})");
  CHECK(keys(all) == "a.txt in/1 in/2 in/deep/3 in/deep/4 out/5 z ");
  CHECK(all["KeyCount"] == 7);
  CHECK(all["IsTruncated"] == false);
  CHECK(all["Contents"][0]["Size"] == 1);
  CHECK(keys(s3.answer("listObjectsV2", R"({"Bucket":"b","Prefix":"in/d"})")) == "in/deep/3 in/deep/4 ");
  CHECK(keys(s3.answer("listObjectsV2", R"({"Bucket":"b","Delimiter":"/"})")) == "a.txt z [in/] [out/] ");
  CHECK(keys(s3.answer("listObjectsV2", R"({"Bucket":"b","Delimiter":"/","Prefix":"in/"})")) ==
        "in/1 in/2 [in/deep/] ");
  CHECK(keys(s3.answer("listObjectsV2", R"({"Bucket":"b","StartAfter":"in/deep/3"})")) ==
        "in/deep/4 out/5 z ");
  CHECK(keys(s3.answer("listObjectsV2", R"({"Bucket":"b","Prefix":"none"})")).empty());
  for (const char* delimiter : {"", "/"}) {
    std::string seen, token;
    int pages = 0;
    do {
      Json request{{"Bucket", "b"}, {"MaxKeys", 1}, {"Delimiter", delimiter}};
      if (!token.empty()) request["ContinuationToken"] = token;
      const Json page = s3.answer("listObjectsV2", request.dump());
      CHECK(page["KeyCount"] == 1);
      seen += keys(page);
      token = page.value("NextContinuationToken", "");
      ++pages;
    } while (!token.empty() && pages < 20);
    CHECK(seen == (*delimiter ? "a.txt [in/] [out/] z " : "a.txt in/1 in/2 in/deep/3 in/deep/4 out/5 z "));
  }
}

TEST_CASE("S3: buckets are made once and deleted when they are empty") {
  S3 s3;
  CHECK(s3.run("headBucket", R"({"Bucket":"b"})")
            .starts_with("S3.NoSuchBucketException: The specified bucket"));
  CHECK(s3.run("createBucket", R"({"Bucket":"b"})") == R"({"Location":"/b"})");
  CHECK(s3.run("createBucket", R"({"Bucket":"b"})").starts_with("S3.BucketAlreadyOwnedByYouException: "));
  CHECK(s3.answer("headBucket", R"({"Bucket":"b"})")["BucketRegion"] == "us-east-1");
  s3.answer("putObject", R"({"Bucket":"b","Key":"a/x","Body":1})");
  CHECK(
      s3.run("deleteBucket", R"({"Bucket":"b"})")
          .starts_with(
              "S3.S3Exception: The bucket you tried to delete is not empty (Service: S3, Status Code: 409"));
  s3.run("deleteObject", R"({"Bucket":"b","Key":"a/x"})");
  CHECK(s3.run("deleteBucket", R"({"Bucket":"b"})") == "{}");
  CHECK(s3.run("deleteBucket", R"({"Bucket":"b"})").starts_with("S3.NoSuchBucketException: "));
}

TEST_CASE("S3: conditional puts") {
  S3 s3;
  const std::string broken =
      "S3.S3Exception: At least one of the pre-conditions you specified did not hold (Service: S3, Status "
      "Code: 412";
  const Json first = s3.answer("putObject", R"({"Bucket":"b","Key":"k","Body":1,"IfNoneMatch":"*"})");
  CHECK(s3.run("putObject", R"({"Bucket":"b","Key":"k","Body":2,"IfNoneMatch":"*"})").starts_with(broken));
  CHECK(s3.run("putObject", R"({"Bucket":"b","Key":"k","Body":2,"IfMatch":"other"})").starts_with(broken));
  CHECK(s3.run("putObject", R"({"Bucket":"b","Key":"none","Body":2,"IfMatch":"other"})")
            .starts_with("S3.NoSuchKeyException"));
  CHECK(s3.home.read("objects/b/k") == "1");
  const Json match = {{"Bucket", "b"}, {"Key", "k"}, {"Body", 2}, {"IfMatch", first["ETag"]}};
  s3.answer("putObject", match.dump());
  CHECK(s3.home.read("objects/b/k") == "2");
  CHECK(s3.run("putObject", match.dump()).starts_with(broken));
}

TEST_CASE("S3: many objects are deleted at once, and listed as the older listing has them") {
  S3 s3;
  for (const char* key : {"a/1", "a/2", "b", "c"})
    s3.answer("putObject", Json({{"Bucket", "b"}, {"Key", key}, {"Body", 7}}).dump());
  const Json page = s3.answer("listObjects", R"({"Bucket":"b","Delimiter":"/","MaxKeys":2})");
  CHECK(page["CommonPrefixes"][0]["Prefix"] == "a/");
  CHECK(page["Contents"][0]["Key"] == "b");
  CHECK(page["NextMarker"] == "b");
  CHECK(s3.answer("listObjects", R"({"Bucket":"b","Marker":"b"})")["Contents"][0]["Key"] == "c");
  CHECK(s3.answer("getObjectAttributes",
                  R"({"Bucket":"b","Key":"b","ObjectAttributes":["ETag","ObjectSize"]})")["ETag"] ==
        "8f14e45fceea167a5a36dedd4bea2543");
  const Json deleted =
      s3.answer("deleteObjects", R"({"Bucket":"b","Delete":{"Objects":[{"Key":"a/1"},{"Key":"none"}]}})");
  CHECK(deleted == Json::parse(R"({"Deleted":[{"Key":"a/1"},{"Key":"none"}]})"));
  CHECK(s3.run("deleteObjects", R"({"Bucket":"b","Delete":{"Objects":[{"Key":"a/2"}],"Quiet":true}})") ==
        "{}");
  CHECK(s3.answer("listObjects", R"({"Bucket":"b"})")["Contents"].size() == 2);
}
