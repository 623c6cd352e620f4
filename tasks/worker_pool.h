#pragma once
// WorkerPool: a fixed number of threads and a bounded queue of work for them, first come, first served. Any
// thread.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::tasks {

class WorkerPool {
 public:
  WorkerPool(int threads, std::size_t queue_max);
  // Waits for what is being done; what has not begun is dropped.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // False: the queue is full (or the pool is closing) and nothing was taken.
  bool submit(std::function<void()> work);

 private:
  void work_until_closed();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::tasks
