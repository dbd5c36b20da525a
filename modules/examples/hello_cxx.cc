/*
 * A module in C++: greets whom the request's data names, and says how often this worker has greeted that name.
 *
 * No exception may leave a hook, since what calls it is C: each hook catches all, and the request is answered with 500.
 */
#include <lpm/module.h>

#include <exception>
#include <map>
#include <stdexcept>
#include <string>

namespace
{

class Greeter
{
  public:
    std::string greet(const std::string &name)
    {
        if (name.size() > 64) {
            throw std::length_error("a name of more than 64 bytes");
        }
        if (greeted.size() == 1000 && greeted.find(name) == greeted.end()) {
            greeted.clear(); // a worker lives long, and names come from clients
        }
        return "hello " + name + ", " + std::to_string(++greeted[name]) + " times\n";
    }

  private:
    std::map<std::string, unsigned long> greeted;
};

// One for each worker process, made when it is first asked for.
Greeter &greeter()
{
    static Greeter one;
    return one;
}

void request(lpm_request *req) noexcept
{
    const lpm_slice data = lpm_request_data(req);

    try {
        const std::string text = greeter().greet(data.len > 0 ? std::string(data.data, data.len) : "you");
        lpm_respond_text(req, text.c_str());
    } catch (const std::exception &fault) {
        lpm_respond_header(req, ":status", "500");
        lpm_respond_text(req, fault.what());
    }
}

} // namespace

LPM_MODULE(.name = "hello_cxx", .version = "1.0", .request = request);
