"""botocore's paginators without what they do for the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.paginate import PageIterator, Paginator

if TYPE_CHECKING:
    _AnyPages: TypeAlias = PageIterator[Any]
    _AnyPaginator: TypeAlias = Paginator[Any]
else:
    # Generic in the stubs alone.
    _AnyPages, _AnyPaginator = PageIterator, Paginator


class Pages(_AnyPages):
    """Pages without the context for the SDK's user agent, which nobody reads here."""

    _method: Callable[..., Any]

    def _make_request(self, current_kwargs: Any) -> Any:
        return self._method(**current_kwargs)


class DirectPaginator(_AnyPaginator):
    """Gives such pages."""

    PAGE_ITERATOR_CLS = Pages
