/* The JSON of a bundle's description: a reader of values, no more. */
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edgesr {

/* One value. Asking for another kind than it is, or for a key that it lacks, throws Error. */
class Json {
public:
    static Json parse(std::string_view text);

    const Json &at(const std::string &key) const;
    const Json *find(const std::string &key) const;
    const std::vector<Json> &items() const;
    const std::string &string() const;
    int integer() const;
    bool boolean() const;

private:
    friend class JsonReader;
    enum class Kind { null, boolean, number, string, list, object };

    void require(Kind kind) const;

    Kind kind_ = Kind::null;
    bool boolean_ = false;
    double number_ = 0;
    std::string string_;
    std::vector<Json> items_;
    std::map<std::string, Json> fields_;
};

}  // namespace edgesr
