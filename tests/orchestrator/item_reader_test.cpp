// Readers of items: each format, in pieces of every size, and what goes wrong.

#include <doctest/doctest.h>
#include <zlib.h>

#include "tests/orchestrator/map_world.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;
using definitions::ItemFormat;

namespace {

// All items as one text, or the cause of what went wrong behind those before it.
std::string all(ItemReader& reader) {
  std::string out;
  for (;;) {
    auto item = reader.next();
    if (!item) {
      CHECK(item.error().error == "States.ItemReaderFailed");
      return out + "! " + item.error().cause;
    }
    if (!*item) return out;
    out += ((*item)->key ? *(*item)->key + "=" : "") + std::string((*item)->value.text()) + " ";
  }
}

std::string read(const definitions::ItemReader& reader, const std::string& text, std::size_t piece = 5,
                 std::int64_t most = 0) {
  MemoryObjects objects;
  objects.piece = piece;
  objects.objects["b/k"] = text;
  const Limits limits;
  return all(*read_objects(objects, reader, Payload::literal(R"({"Bucket":"b","Key":"k"})"), most, limits));
}

std::string json(const std::string& text, std::size_t piece, const std::string& pointer = "") {
  definitions::ItemReader reader;
  reader.format = ItemFormat::Json;
  reader.items_pointer = pointer;
  return read(reader, text, piece);
}

definitions::ItemReader csv_reader(std::vector<std::string> headers = {}, char delimiter = ',') {
  definitions::ItemReader reader;
  reader.format = ItemFormat::Csv;
  reader.headers_given = !headers.empty();
  reader.headers = std::move(headers);
  reader.delimiter = delimiter;
  return reader;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(text.size() + 200, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("items: JSON, whatever the pieces it comes in") {
  for (std::size_t piece = 1; piece < 12; ++piece) {
    CAPTURE(piece);
    CHECK(json(R"([1, {"a":"]\"}"} , [2,[3]],"x\\",null,-1.5e3 ])", piece) ==
          R"(1 {"a":"]\"}"} [2,[3]] "x\\" null -1.5e3 )");
    CHECK(json("[]", piece) == "");
    CHECK(json("\xEF\xBB\xBF \n[ ] ", piece == 1 || piece == 2 ? 3 : piece) == "");
    CHECK(json(R"({"x":{"y":[0,[1,2]]},"a/b":{"c":[7]}})", piece, "/x/y/1") == "1 2 ");
    CHECK(json(R"({"x":"}","a/b":{"~c":[7]}})", piece, "/a~1b/~0c") == "7 ");
    CHECK(json(R"({"x":{"k":1,"l":[2]}})", piece, "/x") == "k=1 l=[2] ");
    CHECK(json(R"({"Hello":"world"})", piece) == "! Attempting to map over non-iterable node.");
    CHECK(json("7", piece) == "! Attempting to map over non-iterable node.");
    CHECK(json(R"({"a":1})", piece, "/b") == "! The ItemsPointer '/b' names nothing in the file.");
    CHECK(json(R"({"a":1})", piece, "/a/b") == "! The ItemsPointer '/a/b' names nothing in the file.");
    CHECK(json("[1,2", piece).starts_with("1 ! The file is not valid JSON"));
    CHECK(json("[1,]", piece).starts_with("1 ! The file is not valid JSON"));
    CHECK(json("[1 2]", piece).starts_with("! The file is not valid JSON"));
    CHECK(json("[x]", piece).starts_with("! The file is not valid JSON"));
    CHECK(json("", piece).starts_with("! The file is not valid JSON"));
  }
}

TEST_CASE("items: JSON lines") {
  definitions::ItemReader reader;
  reader.format = ItemFormat::JsonLines;
  for (const std::size_t piece : {1, 3, 100}) {
    CHECK(read(reader, "{\"a\":1}\n\n [2] \r\n3", piece) == "{\"a\":1} [2] 3 ");
    CHECK(read(reader, "", piece) == "");
    CHECK(read(reader, "1\nx\n", piece).starts_with("1 ! Line 2 of the file is not valid JSON"));
  }
}

TEST_CASE("items: CSV as RFC 4180 has it, with the rules for headers") {
  for (const std::size_t piece : {1, 2, 3, 5, 100}) {
    CHECK(
        read(csv_reader(), "H1,\nV4,V5,V6\n,,,\ntrue,1,'H'\nNull,None,\n   \n", piece) ==
        R"({"H1":"V4","":"V5"} {"H1":"","":""} {"H1":"true","":"1"} {"H1":"Null","":"None"} {"H1":"   ","":""} )");
    CHECK(read(csv_reader({"H1"}), "a,b\nc\n", piece) == R"({"H1":"a"} {"H1":"c"} )");
    CHECK(read(csv_reader(), "a,b\r\n\"1,\"\"x\"\"\r\n2\",3\r\n\r\nz", piece) ==
          R"({"a":"1,\"x\"\r\n2","b":"3"} {"a":"z","b":""} )");
    CHECK(read(csv_reader({"a", "b"}, '\t'), "1,\t2\n", piece) == R"({"a":"1,","b":"2"} )");
    CHECK(read(csv_reader(), "a\n", piece) == "");
    CHECK(read(csv_reader(), "", piece) == "");
  }
  CHECK(read(csv_reader(), "a,b,a\n1,2,3\n") == "! CSV headers cannot contain duplicates.");
  CHECK(read(csv_reader({"a", "a"}), "1\n") == "! CSV headers cannot contain duplicates.");
  CHECK(read(csv_reader(), "a\n\"x") == "! A quoted cell of the file has no end.");
  CHECK(read(csv_reader(), "a\n1\n2\n3\n", 100, 2) == R"({"a":"1"} {"a":"2"} )");
}

TEST_CASE("items: an S3 inventory, Athena's manifest, and gzip in both") {
  MemoryObjects objects;
  const Limits limits;
  objects.objects["inv/m.json"] =
      R"({"sourceBucket":"s","destinationBucket":"arn:aws:s3:::inv","fileFormat":"CSV","fileSchema":"Bucket, Key, Size",
          "files":[{"key":"d/1.csv.gz"},{"key":"d/2.csv"}]})";
  objects.objects["inv/d/1.csv.gz"] = gzip("\"s\",\"a\",\"1\"\n") + gzip("\"s\",\"b\",\"2\"\n");
  objects.objects["inv/d/2.csv"] = "\"s\",\"c\",\"3\"\n";
  definitions::ItemReader reader;
  reader.format = ItemFormat::Manifest;
  const auto from = [&](const std::string& key) {
    return all(*read_objects(objects, reader, Payload::literal(R"({"Bucket":"inv","Key":")" + key + "\"}"), 0,
                             limits));
  };
  CHECK(
      from("m.json") ==
      R"({"Bucket":"s","Key":"a","Size":"1"} {"Bucket":"s","Key":"b","Size":"2"} {"Bucket":"s","Key":"c","Size":"3"} )");
  objects.objects["inv/d/1.csv.gz"].resize(objects.objects["inv/d/1.csv.gz"].size() - 5);
  CHECK(from("m.json").find("cut off") != std::string::npos);
  objects.objects["inv/orc.json"] = R"({"fileFormat":"ORC","files":[]})";
  CHECK(from("orc.json") == "! The inventory's files are of the format 'ORC': only CSV is read.");
  CHECK(from("none") == "! The specified key does not exist: s3://inv/none");

  reader.athena = true;
  reader.format = ItemFormat::JsonLines;
  objects.objects["inv/athena.csv"] = "\"s3://data/x\"\n\"s3://data/y\"\n";
  objects.objects["data/x"] = "1\n2\n";
  objects.objects["data/y"] = gzip("3\n");
  CHECK(from("athena.csv") == "1 2 3 ");
  reader.format = ItemFormat::Parquet;
  CHECK(from("athena.csv").find("Parquet") != std::string::npos);
}

TEST_CASE("items: listings, and the items of what is listed") {
  MemoryObjects objects;
  const Limits limits;
  objects.objects["b/p/1"] = "[1,2]";
  objects.objects["b/p/2"] = "[]";
  objects.objects["b/p/3"] = "[3]";
  objects.objects["b/q"] = "x";
  definitions::ItemReader reader;
  reader.list = true;
  const Payload arguments = Payload::literal(R"({"Bucket":"b","Prefix":"p/"})");
  const std::string listed = all(*read_objects(objects, reader, arguments, 0, limits));
  CHECK(listed.find(R"("Key":"p/1","LastModified":1700000000,"Size":5,"StorageClass":"STANDARD")") !=
        std::string::npos);
  CHECK(listed.find("\"q\"") == std::string::npos);
  CHECK(source_name(reader, arguments) == "S3://b");
  CHECK(all(*read_objects(objects, reader, Payload::literal(R"({"Bucket":"none"})"), 0, limits)) ==
        "! The specified bucket does not exist: none");
  CHECK(all(*read_objects(objects, reader, Payload::literal("{}"), 0, limits)) ==
        "! ItemReader has no Bucket.");
  reader.flatten = true;
  reader.format = ItemFormat::Json;
  CHECK(all(*read_objects(objects, reader, arguments, 0, limits)) == "1 2 3 ");
}

TEST_CASE("items: of the state's input") {
  CHECK(all(*read_state_items(Payload::literal("[1,[2],{}]"))) == "1 [2] {} ");
  CHECK(all(*read_state_items(Payload::literal("{\"a\":1,\"b\":[2]}"))) == "a=1 b=[2] ");
  CHECK(all(*read_state_items(Payload::literal("[]"))) == "");
}
