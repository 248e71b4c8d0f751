//===- FileTest.cpp - reading and mapping ---------------------------------===//

#include "TestFiles.h"

#include "linnet/Support/File.h"

#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

using namespace linnet;
using namespace linnet::test;

TEST(ReadFile, ReadsEverySize) {
  TemporaryDirectory dir;
  for (size_t size : {0, 1, 4095, 4096, 4097, 65536, 1000003}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i)
      content[i] = static_cast<char>(i * 31);
    Result<std::string> read = readFile(dir.put("f", content));
    ASSERT_TRUE(succeeds(read));
    EXPECT_TRUE(*read == content) << size;
  }
}

TEST(ReadFile, ReadsPipes) {
  TemporaryDirectory dir;
  std::string path = dir.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string content(300000, 'x');
  std::thread writer([&] { std::ofstream(path) << content; });
  Result<std::string> read = readFile(path);
  writer.join();
  ASSERT_TRUE(succeeds(read));
  EXPECT_TRUE(*read == content);
}

TEST(ReadFile, NamesPathAndReason) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(readFile(dir.file("none")),
                        "/none': no such file or directory"));
  EXPECT_TRUE(failsWith(readFile(dir.str()), "is a directory"));
  EXPECT_TRUE(failsWith(readFile(dir.put("f", "") + "/x"), "not a directory"));
  EXPECT_TRUE(failsWith(readFile(""), "no such file"));
}

TEST(MappedFile, MapsTheContent) {
  TemporaryDirectory dir;
  Result<MappedFile> file = MappedFile::open(dir.put("f", "hello"));
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->size(), 5u);
  EXPECT_EQ(file->text(), "hello");
  EXPECT_EQ(std::memcmp(file->data(), "hello", 5), 0);
}

TEST(MappedFile, MapsEmptyFiles) {
  TemporaryDirectory dir;
  Result<MappedFile> file = MappedFile::open(dir.put("f", ""));
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->size(), 0u);
  EXPECT_EQ(file->text(), "");
}

TEST(MappedFile, OutlivesTheName) {
  TemporaryDirectory dir;
  Result<MappedFile> file = MappedFile::open(dir.put("f", "hello"));
  ASSERT_TRUE(succeeds(file));
  std::filesystem::remove(dir.file("f"));
  EXPECT_EQ(file->text(), "hello");
}

TEST(MappedFile, MovesWithoutCopying) {
  TemporaryDirectory dir;
  MappedFile a = MappedFile::open(dir.put("a", "first")).take();
  MappedFile b = MappedFile::open(dir.put("b", "second")).take();
  const std::byte *data = a.data();
  MappedFile c = std::move(a);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(a.size(), 0u);
  b = std::move(c);
  EXPECT_EQ(b.text(), "first");
}

TEST(MappedFile, RefusesOtherThanRegularFiles) {
  TemporaryDirectory dir;
  EXPECT_TRUE(failsWith(MappedFile::open(dir.str()), "is a directory"));
  EXPECT_TRUE(failsWith(MappedFile::open("/dev/zero"), "not a regular file"));
  EXPECT_TRUE(failsWith(MappedFile::open(dir.file("none")), "no such file"));
  // Opening a pipe without a writer must not wait for one.
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(failsWith(MappedFile::open(dir.file("pipe")), "not a regular"));
}

TEST(MappedFile, MapsSparseFilesAtOnce) {
  TemporaryDirectory dir;
  std::string path = dir.put("sparse", "x");
  ASSERT_EQ(::truncate(path.c_str(), off_t(16) << 30), 0);
  Result<MappedFile> file = MappedFile::open(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->size(), size_t(16) << 30);
  EXPECT_EQ(file->data()[file->size() - 1], std::byte(0));
}
