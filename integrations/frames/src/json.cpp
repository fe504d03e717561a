#include "json.h"

#include <cmath>
#include <cstdlib>

#include "error.h"

namespace edgesr {
namespace {

constexpr int kDeepest = 64;

bool is_space(char one) { return one == ' ' || one == '\n' || one == '\t' || one == '\r'; }

}  // namespace

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    Json whole() {
        Json value = read(0);
        skip();
        if (at_ != text_.size()) fail();
        return value;
    }

private:
    [[noreturn]] static void fail() { throw Error("its description is no JSON: export the bundle again"); }

    void skip() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }

    char next() {
        skip();
        if (at_ == text_.size()) fail();
        return text_[at_];
    }

    bool take(char wanted) {
        if (next() != wanted) return false;
        ++at_;
        return true;
    }

    void expect(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail();
        at_ += word.size();
    }

    Json read(int depth) {
        if (depth > kDeepest) fail();
        switch (next()) {
            case '{': return object(depth);
            case '[': return list(depth);
            case '"': return string();
            case 't': return word("true", true);
            case 'f': return word("false", false);
            case 'n': expect("null"); return {};
            default: return number();
        }
    }

    Json object(int depth) {
        Json value;
        value.kind_ = Json::Kind::object;
        ++at_;
        if (take('}')) return value;
        do {
            if (next() != '"') fail();
            std::string key = string().string_;
            if (!take(':')) fail();
            value.fields_[std::move(key)] = read(depth + 1);
        } while (take(','));
        if (!take('}')) fail();
        return value;
    }

    Json list(int depth) {
        Json value;
        value.kind_ = Json::Kind::list;
        ++at_;
        if (take(']')) return value;
        do value.items_.push_back(read(depth + 1));
        while (take(','));
        if (!take(']')) fail();
        return value;
    }

    Json word(std::string_view text, bool meaning) {
        expect(text);
        Json value;
        value.kind_ = Json::Kind::boolean;
        value.boolean_ = meaning;
        return value;
    }

    Json number() {
        const std::size_t start = at_;
        while (at_ < text_.size() && std::string_view("+-.0123456789eE").find(text_[at_]) != text_.npos) ++at_;
        const std::string digits(text_.substr(start, at_ - start));
        Json value;
        value.kind_ = Json::Kind::number;
        char *end = nullptr;
        value.number_ = std::strtod(digits.c_str(), &end);
        if (digits.empty() || *end) fail();
        return value;
    }

    Json string() {
        Json value;
        value.kind_ = Json::Kind::string;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
            value.string_ += text_[at_] == '\\' ? escaped() : text_[at_];
        if (at_ >= text_.size()) fail();
        ++at_;
        return value;
    }

    /* What is read of a description is ASCII: a character beyond it stands for one that no name has. */
    char escaped() {
        if (++at_ == text_.size()) fail();
        switch (text_[at_]) {
            case 'n': return '\n';
            case 't': return '\t';
            case 'u': at_ += 4; return '?';
            default: return text_[at_];
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

Json Json::parse(std::string_view text) { return JsonReader(text).whole(); }

void Json::require(Kind kind) const {
    if (kind_ != kind) throw Error("its description has another form: export the bundle again");
}

const Json *Json::find(const std::string &key) const {
    require(Kind::object);
    const auto found = fields_.find(key);
    return found == fields_.end() ? nullptr : &found->second;
}

const Json &Json::at(const std::string &key) const {
    const Json *found = find(key);
    if (!found) throw Error("its description has no '" + key + "': export the bundle again");
    return *found;
}

const std::vector<Json> &Json::items() const {
    require(Kind::list);
    return items_;
}

const std::string &Json::string() const {
    require(Kind::string);
    return string_;
}

int Json::integer() const {
    require(Kind::number);
    if (number_ != std::floor(number_) || std::fabs(number_) > 1e9) throw Error("its description has a wrong number");
    return int(number_);
}

bool Json::boolean() const {
    require(Kind::boolean);
    return boolean_;
}

}  // namespace edgesr
