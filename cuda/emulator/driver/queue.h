// Streams, events and captured graphs. Work is done as late as a GPU may do it: when the host waits for it.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "order.h"

namespace emulated_driver {

// Does the work and says what it touched: calls `uses(span, write)` for every piece of memory.
typedef std::function<void(const Span &, bool)> Uses;
struct Work {
    std::string what;
    std::function<void(const Uses &)> run;
};

struct Stream {
    int number;
    Clock clock;
    bool capturing = false;
    std::vector<Work> captured;
};

struct Event {
    Clock clock;
    bool recorded = false;
    double milliseconds = 0;  // when its work was done; 0 until then
};

struct Graph {
    std::vector<Work> work;
};

class Queue {
public:
    Order order;
    long fail_after = -1;

    Stream *new_stream();
    void free_stream(Stream *stream);
    Event *new_event();
    void free_event(Event *event);
    Graph *keep(Graph *graph);
    void free_graph(Graph *graph);
    void require(const Stream *stream) const;
    void require(const Event *event) const;
    void require(const Graph *graph) const;

    void enqueue(Stream *stream, const Work &work);
    void record(Event *event, Stream *stream);
    void wait(Stream *stream, Event *event);
    void synchronize(Stream *stream);
    void synchronize(Event *event);
    void synchronize_all();
    void begin_capture(Stream *stream);
    Graph *end_capture(Stream *stream);
    void launch(Graph *graph, Stream *stream);

private:
    struct Pending {
        Step step;
        Clock clock;
        Work work;
    };
    // The stream itself, or the legacy default one for null: streams that do not block neither wait for it nor hold it up.
    Stream *known(Stream *stream);
    // The host waits: what happened before `clock` is done, in the order in which it was enqueued.
    void catch_up(const Clock &clock);
    void perform(const Pending &pending);
    std::vector<Pending> pending_;
    std::set<Stream *> streams_;
    Stream legacy_{0, {}, false, {}};
    std::set<Event *> events_;
    std::set<Graph *> graphs_;
    Clock host_;
    int streams_made_ = 0;
    bool lost_ = false;
};

}  // namespace emulated_driver
