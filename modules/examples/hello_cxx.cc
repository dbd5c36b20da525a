/*
 * A module in C++: greets whom the request's data names, and says how often this worker has greeted that name.
 *
 * No exception may leave a hook, since what calls it is C: each hook catches all, and the request is answered with 500.
 */
#include <lpm/module.h>

#include <exception>
#include <map>
#include <new>
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

int worker_init(lpm_worker *w) noexcept
{
    Greeter *greeter = new (std::nothrow) Greeter; // lives as long as the process
    if (greeter == nullptr) {
        return LPM_ENOMEM;
    }
    lpm_worker_set_context(w, greeter);
    return lpm_worker_ready(w);
}

void request(lpm_request *req) noexcept
{
    auto *greeter = static_cast<Greeter *>(lpm_worker_context(lpm_request_worker(req)));
    const lpm_slice data = lpm_request_data(req);

    try {
        const std::string text = greeter->greet(data.len > 0 ? std::string(data.data, data.len) : "you");
        lpm_respond_text(req, text.c_str());
    } catch (const std::exception &fault) {
        lpm_respond_header(req, ":status", "500");
        lpm_respond_text(req, fault.what());
    }
}

} // namespace

LPM_MODULE(.name = "hello_cxx", .version = "1.0", .request = request, .worker_init = worker_init);
