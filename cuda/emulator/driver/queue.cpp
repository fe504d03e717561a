#include "queue.h"

#include <algorithm>
#include <chrono>

#include "status.h"

namespace emulated_driver {
namespace {

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool within(const Step &step, const Clock &clock) {
    const auto known = clock.find(step.stream);
    return known != clock.end() && known->second >= step.tick;
}

template <class T> void require_one_of(const std::set<T *> &known, const T *handle, const char *kind) {
    if (!known.count(const_cast<T *>(handle)))
        throw Failure(Status::invalid_handle, std::string(kind) + " is used that does not exist, or no longer");
}

template <class T> void free_one_of(std::set<T *> &known, T *handle, const char *kind) {
    require_one_of(known, handle, kind);
    known.erase(handle);
    delete handle;
}

}  // namespace

Stream *Queue::new_stream() { return *streams_.insert(new Stream{++streams_made_, {}, false, {}}).first; }
void Queue::free_stream(Stream *stream) { free_one_of(streams_, stream, "a stream"); }
Event *Queue::new_event() { return *events_.insert(new Event()).first; }
void Queue::free_event(Event *event) { free_one_of(events_, event, "an event"); }
Graph *Queue::keep(Graph *graph) { return *graphs_.insert(graph).first; }
void Queue::free_graph(Graph *graph) { free_one_of(graphs_, graph, "a graph"); }
Stream *Queue::known(Stream *stream) {
    if (!stream || stream == &legacy_) return &legacy_;
    require(stream);
    return stream;
}
void Queue::require(const Stream *stream) const { require_one_of(streams_, stream, "a stream"); }
void Queue::require(const Event *event) const { require_one_of(events_, event, "an event"); }
void Queue::require(const Graph *graph) const { require_one_of(graphs_, graph, "a graph"); }

void Queue::enqueue(Stream *stream, const Work &work) {
    stream = known(stream);
    if (lost_ || (fail_after >= 0 && fail_after-- == 0)) {
        lost_ = true;
        throw Failure(Status::launch_failed, "the device is lost, as EDGE_SR_EMULATED_GPU asks for");
    }
    if (stream->capturing) {
        stream->captured.push_back(work);
        return;
    }
    merge(stream->clock, host_);
    const int tick = ++stream->clock[stream->number];
    pending_.push_back({{stream->number, tick, work.what}, stream->clock, work});
}

void Queue::record(Event *event, Stream *stream) {
    require(event);
    stream = known(stream);
    if (stream->capturing)
        throw Failure(Status::capture_unsupported, "an event, which then measures nothing, is put into a captured graph");
    event->recorded = true;
    event->milliseconds = 0;
    event->clock.clear();
    // The time is taken as work of its own, in its turn.
    enqueue(stream, {"an event", [this, event](const Uses &) {
                         if (events_.count(event)) event->milliseconds = now();
                     }});
    event->clock = stream->clock;
}

void Queue::wait(Stream *stream, Event *event) {
    require(event);
    stream = known(stream);
    if (!event->recorded) throw Failure(Status::invalid_value, "a stream waits for an event that was never recorded");
    if (stream->capturing) throw Failure(Status::capture_unsupported, "a wait is put into a captured graph");
    merge(stream->clock, event->clock);
}

void Queue::synchronize(Stream *stream) {
    stream = known(stream);
    if (stream->capturing) throw Failure(Status::capture_unsupported, "the host waits for a stream that is captured");
    catch_up(stream->clock);
}

void Queue::synchronize(Event *event) {
    require(event);
    if (!event->recorded) throw Failure(Status::invalid_value, "the host waits for an event that was never recorded");
    catch_up(event->clock);
}

void Queue::synchronize_all() {
    Clock all;
    for (Stream *stream : streams_) merge(all, stream->clock);
    for (const Pending &pending : pending_) merge(all, pending.clock);
    catch_up(all);
}

void Queue::catch_up(const Clock &clock) {
    merge(host_, clock);
    std::vector<Pending> due, later;
    for (Pending &pending : pending_) (within(pending.step, host_) ? due : later).push_back(std::move(pending));
    pending_ = std::move(later);
    for (const Pending &pending : due) perform(pending);
}

void Queue::perform(const Pending &pending) {
    std::string wrong;
    pending.work.run([&](const Span &span, bool write) {
        if (wrong.empty()) wrong = order.use(span, write, pending.step, pending.clock);
    });
    if (!wrong.empty()) throw Failure(Status::launch_failed, wrong);
}

void Queue::begin_capture(Stream *stream) {
    require(stream);
    if (stream->capturing) throw Failure(Status::capture_unsupported, "the stream is being captured already");
    stream->capturing = true;
}

Graph *Queue::end_capture(Stream *stream) {
    require(stream);
    if (!stream->capturing) throw Failure(Status::invalid_value, "the stream is not being captured");
    stream->capturing = false;
    return keep(new Graph{std::move(stream->captured)});
}

void Queue::launch(Graph *graph, Stream *stream) {
    require(graph);
    for (const Work &work : graph->work) enqueue(stream, work);
}

}  // namespace emulated_driver
